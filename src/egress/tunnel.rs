//! Bytes both ways, until both sides have ended.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// Anything that bytes go through both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> Stream for S {}

/// How long one side may be silent once the other has ended: a connection that nobody closes must not stay for ever.
const HALF_OPEN: Duration = Duration::from_mins(1);

const BUFFER: usize = 32 * 1024;

/// Hands bytes on in both directions. The end of one side is handed on as that, and the other may go on; an error on either
/// ends both.
pub(super) async fn join(one: impl Stream, other: impl Stream) -> io::Result<()> {
    let ((from_one, to_one), (from_other, to_other)) = (tokio::io::split(one), tokio::io::split(other));
    let half = CancellationToken::new();
    tokio::try_join!(one_way(from_one, to_other, &half), one_way(from_other, to_one, &half)).map(|_| ())
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    half: &CancellationToken,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let silent = async {
            half.cancelled().await;
            tokio::time::sleep(HALF_OPEN).await;
        };
        let read = tokio::select! {
            read = from.read(&mut buffer) => read?,
            () = silent => return Err(io::ErrorKind::TimedOut.into()),
        };
        if read == 0 {
            to.shutdown().await?;
            half.cancel();
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
    }
}
