//! Proofs: that something was said by one who has a key. They seal nothing.

use subtle::ConstantTimeEq;

use super::DataKey;
use super::derive::{KEY_LEN, mac, push_field};

impl DataKey {
    /// What proves to whoever has this key that one who has it said these `fields`, in this order.
    pub fn prove(&self, fields: &[&[u8]]) -> [u8; KEY_LEN] {
        let mut said = Vec::new();
        for field in fields {
            push_field(&mut said, field);
        }
        *mac(self.secret(), &[&said])
    }

    /// Whether `proof` is of this key and of these `fields`. Takes as long for one that is wrong.
    pub fn is_proof(&self, proof: &[u8], fields: &[&[u8]]) -> bool {
        self.prove(fields).ct_eq(proof).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_its_fields_and_its_key() {
        let [one, other] = [7, 8].map(|byte| DataKey::from_bytes(&[byte; 48]).unwrap());
        let proof = one.prove(&[b"get", b"/a"]);
        assert!(one.is_proof(&proof, &[b"get", b"/a"]));
        assert!(!other.is_proof(&proof, &[b"get", b"/a"]));
        // The border between the fields counts, too.
        for said in [&[&b"get/"[..], b"a"][..], &[b"get"], &[b"get", b"/a", b""], &[]] {
            assert!(!one.is_proof(&proof, said), "{said:?}");
        }
        assert!(!one.is_proof(&proof[..31], &[b"get", b"/a"]) && !one.is_proof(&[], &[b"get", b"/a"]));
    }
}
