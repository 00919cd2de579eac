//! Fixed vectors: what this build has to open, and what it has to refuse, whatever is changed later.
//!
//! The files in `tests/vectors` were written once (`RHAVEN_WRITE_VECTORS=1 cargo nextest run vectors`) and are only ever
//! added to: one that no longer opens is a session that somebody has lost.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};

use crate::base::{Fence, SessionId, Tenant, Version};

use super::envelope::seal_under;
use super::header::{Form, Header};
use super::stream::seal_stream_under;
use super::{Context, DataKey, KeyRing, NameTag, RawBlob, RootKey, SealError, Sealed, open, open_stream};

type Fields = BTreeMap<String, String>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

#[test]
fn vectors_open_as_they_expect() {
    if std::env::var_os("RHAVEN_WRITE_VECTORS").is_some() {
        write_all();
    }
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).expect("tests/vectors is part of the package") {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let (fields, sealed) = parse(&text);
        let found = match open_vector(&fields, sealed) {
            Ok(plain) if HEXLOWER.encode(&Sha256::digest(&plain)) == fields["payload"] => "success",
            Ok(_) => "another payload",
            Err(error) => reason(&error),
        };
        assert_eq!(found, fields["expect"], "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} vectors found");
}

fn reason(error: &SealError) -> &'static str {
    match error {
        SealError::NotSealed(_) => "not sealed",
        SealError::Format { .. } => "later format",
        SealError::UnknownKey { .. } => "unknown key",
        SealError::ForeignKey { .. } => "foreign key",
        SealError::Commitment => "commitment",
        SealError::Authentication => "authentication",
        SealError::Compression(_) => "compression",
        _ => "another error",
    }
}

fn parse(text: &str) -> (Fields, Vec<u8>) {
    let (head, body) = text.split_once("\n\n").expect("a blank line ends the head");
    let fields = head.lines().map(|line| line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")));
    let body: String = body.lines().collect();
    (fields.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(), BASE64.decode(body.as_bytes()).unwrap())
}

fn open_vector(fields: &Fields, sealed: Vec<u8>) -> Result<Vec<u8>, SealError> {
    with_context(fields, |context| {
        if fields["form"] == "stream" {
            let key = DataKey::from_bytes(&HEXLOWER.decode(fields["key"].as_bytes()).unwrap())?;
            let raw = RawBlob(Box::pin(stream::iter([Ok(Bytes::from(sealed))])));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            return runtime.block_on(open_stream(&key, context, raw)).map(|plain| plain.to_vec());
        }
        let sealed = Sealed::from_stored(sealed)?;
        let key = match fields.get("root key") {
            Some(text) => {
                let ring = KeyRing::new(RootKey::parse(text)?, Vec::new());
                match fields.get("tenant") {
                    Some(tenant) => ring.tenant_key_for(&Tenant::new(tenant.as_str()).unwrap(), &sealed)?,
                    None => ring.store_key(Some(&sealed))?,
                }
            }
            None => DataKey::from_bytes(&HEXLOWER.decode(fields["key"].as_bytes()).unwrap())?,
        };
        open(&key, context, &sealed).map(|plain| plain.to_vec())
    })
}

fn with_context<T>(fields: &Fields, work: impl FnOnce(Context<'_>) -> T) -> T {
    let text = |name: &str| fields.get(name).map_or("", String::as_str);
    let number = |name: &str| text(name).parse().unwrap_or(0);
    let tenant = &Tenant::new(fields.get("tenant").map_or("none", String::as_str)).unwrap();
    let session = &SessionId::new(fields.get("session").map_or("none", String::as_str)).unwrap();
    let (version, fence) = (Version(number("version")), Fence(number("fence")));
    let id = &HEXLOWER.decode(text("id").as_bytes()).unwrap();
    let name = &NameTag(id.clone().try_into().unwrap_or_default());
    work(match text("kind") {
        "check" => Context::Check,
        "record" => Context::Record { tenant, name },
        "holder" => Context::Holder { tenant, session },
        "index" => Context::Index { tenant, session, version, fence },
        "part" => Context::Part { tenant, session, version, fence, part: id },
        "checkpoint" => Context::Checkpoint { tenant, session, fence },
        "document" => Context::Document { tenant, kind: text("document kind"), name },
        "blob" => Context::Blob { tenant, id },
        kind => panic!("no such kind of context: {kind:?}"),
    })
}

const KEY: &str = "000102030405060708090a0b0c0d0e0f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
const ROOT: &str = "4041424344454647484950515253545556575859606162636465666768697071";
const PLAIN: &[u8] = b"{\"cookies\":[{\"name\":\"sid\",\"value\":\"\xc5\xbelut\xc3\xbd\"}]}";

/// Writes a vector unless it is there: `change` is what is done to the sealed bytes, `opened` what is said about them
/// when they are opened where that differs from how they were sealed.
fn write(
    name: &str,
    expect: &str,
    head: &[(&str, &str)],
    plain: &[u8],
    change: impl FnOnce(&mut Vec<u8>),
    opened: &[(&str, &str)],
) {
    let path = folder().join(format!("{name}.txt"));
    if path.exists() {
        return;
    }
    let mut fields: Fields = head.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let key = match fields.get("root key") {
        Some(text) => {
            let ring = KeyRing::new(RootKey::parse(text).unwrap(), Vec::new());
            match fields.get("tenant") {
                Some(tenant) => ring.tenant_key(&Tenant::new(tenant.as_str()).unwrap()),
                None => ring.store_key(None).unwrap(),
            }
        }
        None => DataKey::from_bytes(&HEXLOWER.decode(fields["key"].as_bytes()).unwrap()).unwrap(),
    };
    // Random bytes that are given by the vector's name: every vector is its own object.
    let random: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    let mut sealed = with_context(&fields, |context| {
        if fields["form"] == "whole" {
            let header = Header::with_random(Form::Whole, &key, random);
            return seal_under(header, context, plain).unwrap().as_bytes().to_vec();
        }
        let header = Header::with_random(Form::Stream, &key, random);
        let body = stream::iter([Ok(Bytes::copy_from_slice(plain))]);
        let pieces = seal_stream_under(header, context, body).unwrap().into_inner().map(Result::unwrap);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(pieces.collect::<Vec<_>>()).concat()
    });
    change(&mut sealed);
    fields.extend(opened.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let mut text = format!("expect: {expect}\npayload: {}\n", HEXLOWER.encode(&Sha256::digest(plain)));
    for (field, value) in &fields {
        writeln!(text, "{field}: {value}").unwrap();
    }
    text.push('\n');
    for line in BASE64.encode(&sealed).as_bytes().chunks(76) {
        writeln!(text, "{}", std::str::from_utf8(line).unwrap()).unwrap();
    }
    std::fs::write(path, text).unwrap();
}

fn write_all() {
    std::fs::create_dir_all(folder()).unwrap();
    let nothing = |_: &mut Vec<u8>| ();
    let index = [
        ("form", "whole"),
        ("key", KEY),
        ("kind", "index"),
        ("tenant", "acme"),
        ("session", "prod/\u{17e}"),
        ("version", "7"),
        ("fence", "1700000000000000"),
    ];
    write("index", "success", &index, PLAIN, nothing, &[]);
    write("empty", "success", &index, b"", nothing, &[]);
    write("wrong_version", "authentication", &index, PLAIN, nothing, &[("version", "8")]);
    write("wrong_fence", "authentication", &index, PLAIN, nothing, &[("fence", "1700000000000001")]);
    write("wrong_session", "authentication", &index, PLAIN, nothing, &[("session", "prod")]);
    write("wrong_tenant", "authentication", &index, PLAIN, nothing, &[("tenant", "acm")]);
    write("wrong_kind", "authentication", &index, PLAIN, nothing, &[("kind", "part")]);
    let other_id = KEY.replacen("00", "ff", 1);
    write("foreign_key", "foreign key", &index, PLAIN, nothing, &[("key", &other_id)]);
    let other_bytes = KEY.replace("3e3f", "3e3e");
    write("wrong_key_bytes", "commitment", &index, PLAIN, nothing, &[("key", &other_bytes)]);
    write("altered_random", "commitment", &index, PLAIN, |sealed| sealed[24] ^= 1, &[]);
    write("altered_commitment", "commitment", &index, PLAIN, |sealed| sealed[56] ^= 1, &[]);
    write("altered_body", "authentication", &index, PLAIN, |sealed| sealed[88] ^= 1, &[]);
    write("altered_tag", "authentication", &index, PLAIN, |sealed| *sealed.last_mut().unwrap() ^= 1, &[]);
    write("cut_body", "authentication", &index, PLAIN, |sealed| sealed.truncate(sealed.len() - 1), &[]);
    write("cut_header", "not sealed", &index, PLAIN, |sealed| sealed.truncate(87), &[]);
    write("nothing", "not sealed", &index, PLAIN, Vec::clear, &[]);
    write("not_ours", "not sealed", &index, PLAIN, |sealed| sealed[0] = b'R', &[]);
    write("later_format", "later format", &index, PLAIN, |sealed| sealed[7] = 2, &[]);

    let root = |kind| [("form", "whole"), ("root key", ROOT), ("kind", kind), ("tenant", "acme"), ("session", "prod")];
    write("record_by_root_key", "success", &root("record"), PLAIN, nothing, &[]);
    write("holder_by_root_key", "success", &root("holder"), PLAIN, nothing, &[]);
    write("wrong_root_key", "unknown key", &root("record"), PLAIN, nothing, &[("root key", &ROOT.replace('7', "8"))]);
    write("other_tenants_key", "commitment", &root("record"), PLAIN, nothing, &[("tenant", "acmf")]);
    write(
        "check",
        "success",
        &root("check").map(|(k, v)| if k == "tenant" { ("session", v) } else { (k, v) }),
        PLAIN,
        nothing,
        &[],
    );
    let (one, other) = ("5a".repeat(32), "5b".repeat(32));
    let document = [("document kind", "secret"), ("id", one.as_str())];
    let document = [&root("document")[..], &document].concat();
    write("document", "success", &document, PLAIN, nothing, &[]);
    write("wrong_name", "authentication", &document, PLAIN, nothing, &[("id", &other)]);

    let part = [&index[..], &[("kind", "part"), ("id", "0011223344556677")]].concat();
    write("part", "success", &part, PLAIN, nothing, &[]);
    write("wrong_part", "authentication", &part, PLAIN, nothing, &[("id", "0011223344556678")]);
    let checkpoint = [&index[..], &[("kind", "checkpoint")]].concat();
    write("checkpoint", "success", &checkpoint, PLAIN, nothing, &[]);

    let blob = [("form", "stream"), ("key", KEY), ("kind", "blob"), ("tenant", "acme"), ("id", "ffee")];
    let large: Vec<u8> = (0_u32..10_000).flat_map(|n| Sha256::digest(n.to_be_bytes())).take(140_000).collect();
    write("stream", "success", &blob, PLAIN, nothing, &[]);
    write("stream_empty", "success", &blob, b"", nothing, &[]);
    write("stream_segments", "success", &blob, &large, nothing, &[]);
    let segment = (64 << 10) + 16;
    write("stream_cut_at_segment", "authentication", &blob, &large, |sealed| sealed.truncate(88 + segment), &[]);
    write("stream_cut_to_header", "authentication", &blob, &large, |sealed| sealed.truncate(88), &[]);
    write(
        "stream_swapped_segments",
        "authentication",
        &blob,
        &large,
        |sealed| sealed[88..88 + 2 * segment].rotate_left(segment),
        &[],
    );
    write("stream_wrong_id", "authentication", &blob, PLAIN, nothing, &[("id", "ffef")]);
    write("stream_as_whole", "not sealed", &blob, PLAIN, nothing, &[("form", "whole")]);
}
