//! The head of a picture.

/// How a picture's bytes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG, number 1.
    Jpeg,
}

/// What stands before the picture in a binary message: 20 bytes, little endian.
///
/// `u8` 1, `u8` format, `u16` tab, `u32` number, `u16` width, `u16` height, `f64` time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameHead {
    /// How the picture's bytes are to be read.
    pub format: Format,
    /// The low 16 bits of the tab's number.
    pub tab: u16,
    /// The picture's number, which `ack` names. It grows, and begins again at 0 after 2^32.
    pub frame: u32,
    /// The viewport's width; the picture itself may be smaller.
    pub width: u16,
    /// The viewport's height.
    pub height: u16,
    /// When it was drawn, in milliseconds since 1970.
    pub time: f64,
}

impl FrameHead {
    /// How many bytes it has.
    pub const LENGTH: usize = 20;

    /// Its bytes.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let Format::Jpeg = self.format;
        let mut bytes = [0; Self::LENGTH];
        bytes[..2].copy_from_slice(&[1, 1]);
        bytes[2..4].copy_from_slice(&self.tab.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.frame.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.width.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.height.to_le_bytes());
        bytes[12..].copy_from_slice(&self.time.to_le_bytes());
        bytes
    }

    /// What [`Self::to_bytes`] wrote, and the picture after it; none where it is something else.
    pub fn of(message: &[u8]) -> Option<(Self, &[u8])> {
        let (head, picture) = message.split_first_chunk::<{ Self::LENGTH }>()?;
        let two = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let time = f64::from_le_bytes(*head.last_chunk()?);
        let frame = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let found = Self { format: Format::Jpeg, tab: two(2), frame, width: two(8), height: two(10), time };
        (head[..2] == [1, 1]).then_some((found, picture))
    }
}
