//! How the sealed objects of a bundle lie behind each other: each in frames of a length (4 bytes) and that many bytes; a
//! length of 0 ends it. The lengths prove nothing: what they lead to is authenticated by its seal.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

use super::{Input, Output, PortableError};
use crate::seal::{RawBlob, SealedStream};

/// The most bytes in one frame: a segment of a sealed stream is half of it.
const LONGEST: usize = 128 << 10;

/// Writes one object.
pub(super) async fn write(out: &mut Output<'_>, object: SealedStream) -> Result<(), PortableError> {
    let mut pieces = object.into_inner();
    while let Some(piece) = pieces.try_next().await.map_err(PortableError::Write)? {
        for frame in piece.chunks(LONGEST) {
            let length = u32::try_from(frame.len()).map_err(|error| PortableError::Write(io::Error::other(error)))?;
            out.write_all(&length.to_be_bytes()).await.map_err(PortableError::Write)?;
            out.write_all(frame).await.map_err(PortableError::Write)?;
        }
    }
    out.write_all(&[0; 4]).await.map_err(PortableError::Write)
}

/// The objects of a bundle, read one after the other.
pub(super) struct Frames(Arc<Mutex<Input>>);

impl Frames {
    pub(super) fn new(input: Input) -> Self {
        Self(Arc::new(Mutex::new(input)))
    }

    /// The next object. To be read to its end before the one after it.
    pub(super) fn object(&self) -> RawBlob {
        let frames = stream::try_unfold(self.0.clone(), |input| async move {
            let frame = next(&mut *input.lock().await).await?;
            Ok(frame.map(|frame| (frame, input)))
        });
        RawBlob(frames.boxed())
    }

    /// Whether nothing stands behind the last object.
    pub(super) async fn at_end(&self) -> io::Result<bool> {
        Ok(self.0.lock().await.read(&mut [0]).await? == 0)
    }
}

/// The next frame; none at the end of the object.
async fn next(input: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Bytes>> {
    let length = input.read_u32().await? as usize;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = BytesMut::zeroed(length);
    input.read_exact(&mut frame).await?;
    Ok((length > 0).then(|| frame.freeze()))
}
