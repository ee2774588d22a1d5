//! Event files that TensorBoard reads.
//!
//! A file is a sequence of records. A record is a length (u64), the checksum of the length, a protobuf message of that
//! length, and the checksum of the message; all numbers are little-endian. The messages are `Event`, `Summary` and
//! `Summary.Value`, of which this module writes the fields that scalars and one text need.

use std::io;
use std::path::Path;

use super::log::Log;
use super::protobuf::Message;

/// An event file that grows at its end.
///
/// No clock is read: every call takes the wall time, in seconds since 1970. Errors name the file. After an error the
/// refused records are kept, and written with the next record or by [`sync`](Self::sync).
#[derive(Debug)]
pub struct EventFile {
    log: Log,
}

impl EventFile {
    /// Opens or creates the file `path` as it was when [`length`](Self::length) was `length`: what was written later is
    /// cut off. TensorBoard finds a file whose name contains `tfevents`.
    ///
    /// The text that is returned beside the file is a warning, where the file is missing or damaged: then it is set
    /// aside as `<name>.damaged`, and a new one goes on from its whole records.
    pub fn open(path: &Path, length: u64, wall_time: f64) -> io::Result<(Self, Option<String>)> {
        let (log, _, warning) = Log::open(path, length, whole)?;
        let mut events = Self { log };
        if events.length() == 0 {
            let mut event = Message::default();
            event.double(1, wall_time);
            event.bytes(3, b"brain.Event:2");
            events.append(&event)?;
        }
        Ok((events, warning))
    }

    /// Returns the length of the file in bytes after the next [`sync`](Self::sync), which is always the end of a
    /// record.
    pub fn length(&self) -> u64 {
        self.log.length()
    }

    /// Appends the numbers `values`, each with its tag, in one record for the step `step`. The numbers are rounded to
    /// f32.
    pub fn scalars<'a>(
        &mut self,
        wall_time: f64,
        step: u64,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> io::Result<()> {
        let mut summary = Message::default();
        for (tag, number) in values {
            let mut value = Message::default();
            value.bytes(1, tag.as_bytes());
            value.float(2, number as f32);
            summary.message(1, &value);
        }
        self.summary(wall_time, step, &summary)
    }

    /// Appends the text `text` with the tag `tag` for the step `step`. TensorBoard shows the text as Markdown.
    pub fn text(&mut self, wall_time: f64, step: u64, tag: &str, text: &str) -> io::Result<()> {
        const STRING: u64 = 7;
        let (mut size, mut shape, mut tensor) = (Message::default(), Message::default(), Message::default());
        size.number(1, 1);
        shape.message(2, &size);
        tensor.number(1, STRING);
        tensor.message(2, &shape);
        tensor.bytes(8, text.as_bytes());
        let (mut plugin, mut metadata) = (Message::default(), Message::default());
        plugin.bytes(1, b"text");
        metadata.message(1, &plugin);
        let (mut value, mut summary) = (Message::default(), Message::default());
        value.bytes(1, tag.as_bytes());
        value.message(8, &tensor);
        value.message(9, &metadata);
        summary.message(1, &value);
        self.summary(wall_time, step, &summary)
    }

    /// Returns when everything that was written is on the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.log.sync()
    }

    fn summary(&mut self, wall_time: f64, step: u64, summary: &Message) -> io::Result<()> {
        let mut event = Message::default();
        event.double(1, wall_time);
        if step > 0 {
            event.number(2, step);
        }
        event.message(5, summary);
        self.append(&event)
    }

    fn append(&mut self, event: &Message) -> io::Result<()> {
        let event = event.as_bytes();
        let length = (event.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(event.len() + 16);
        record.extend(length);
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(event);
        record.extend(masked_crc(event).to_le_bytes());
        // A reader would wait for ever at half a record, so that none may stay in the file.
        self.log.append(&record)
    }
}

/// Returns the length in bytes of the records at the beginning that are whole, by their lengths and checksums.
fn whole(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some((length, rest)) = bytes[at..].split_first_chunk::<8>()
        && let Some((sum, rest)) = rest.split_first_chunk::<4>()
        && masked_crc(length) == u32::from_le_bytes(*sum)
        && let Some((event, rest)) = rest.split_at_checked(u64::from_le_bytes(*length) as usize)
        && rest.first_chunk::<4>().is_some_and(|sum| masked_crc(event) == u32::from_le_bytes(*sum))
    {
        at += 8 + 4 + event.len() + 4;
    }
    at
}

/// Returns the checksum CRC-32C (Castagnoli), rotated and shifted as the record format wants it.
fn masked_crc(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let (mut crc, mut bit) = (i as u32, 0);
            while bit < 8 {
                crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    let crc = !bytes.iter().fold(!0u32, |crc, byte| (crc >> 8) ^ TABLE[(crc as u8 ^ byte) as usize]);
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    const EXPERIMENT: &str = "algorithm = \"ppo\"\nγ = 0.99";

    /// The bytes that TensorBoard's own writer (tensorboard 2.21, `RecordWriter`) wrote for the calls of [`write`].
    const RECORDED: &str = "\
        1800000000000000a37f4b2209000010402049da411a0d627261696e2e4576656e743a327b854a4b4a00000000000000\
        af77dbb009000060402049da412a3f0a3d0a0a6578706572696d656e7442250807120412020801421b616c676f726974\
        686d203d202270706f220aceb3203d20302e39394a080a060a0474657874a542383c410000000000000000a9c2ab0900\
        00b0402049da4110e0a7122a320a130a0c747261696e2f72657475726e1500806bc30a0d0a066c6f73732f7115000000\
        000a0c0a05616c706861150000807f46a9ea82";

    fn write(path: &Path) -> EventFile {
        let (mut events, _) = EventFile::open(path, 0, 1764000000.25).unwrap();
        events.text(1764000001.5, 0, "experiment", EXPERIMENT).unwrap();
        let values = [("train/return", -235.5), ("loss/q", 0.0), ("alpha", f64::INFINITY)];
        events.scalars(1764000002.75, 300_000, values).unwrap();
        events
    }

    fn hex(path: &Path) -> String {
        std::fs::read(path).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The checksum of the nine digits is the one that the definition of CRC-32C gives, before masking.
    #[test]
    fn the_checksum_is_crc32c() {
        let crc = masked_crc(b"123456789").wrapping_sub(0xa282_ead8).rotate_left(15);
        assert_eq!(crc, 0xe306_9283);
    }

    /// A file has the bytes that TensorBoard's writer gives it, and reports their number.
    #[test]
    fn bytes_are_tensorboards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.out.tfevents.1");
        let events = write(&path);
        assert_eq!(hex(&path), RECORDED);
        assert_eq!(events.length(), RECORDED.len() as u64 / 2);
    }

    /// A file that is resumed at a length loses what came later, even half a record, and continues to the same bytes.
    #[test]
    fn a_resumed_file_is_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.out.tfevents.1");
        let mut events = write(&path);
        let length = events.length();
        events.scalars(5.0, 400_000, [("train/return", 1.0)]).unwrap();
        let whole = hex(&path);
        events.scalars(6.0, 500_000, [("lost", 2.0)]).unwrap();
        drop(events);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&[7; 5]).unwrap();
        let (mut events, warning) = EventFile::open(&path, length, 4.0).unwrap();
        assert_eq!(warning, None);
        assert_eq!((events.length(), hex(&path).as_str()), (length, RECORDED));
        events.scalars(5.0, 400_000, [("train/return", 1.0)]).unwrap();
        events.sync().unwrap();
        assert_eq!(hex(&path), whole);
    }

    /// A file that is cut, or has a flipped bit, goes on from its whole records with a warning that names it; one that
    /// is missing begins anew.
    #[test]
    fn damage_is_no_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.out.tfevents.1");
        let length = write(&path).length();
        let sound = std::fs::read(&path).unwrap();
        let mut flipped = sound.clone();
        flipped[150] ^= 1;
        // The records begin at bytes 0, 40 and 130.
        for (bytes, kept) in [(&sound[..200], 130), (&sound[..20], 0), (&flipped, 130)] {
            std::fs::write(&path, bytes).unwrap();
            let (mut events, warning) = EventFile::open(&path, length, 1764000000.25).unwrap();
            let warning = warning.unwrap();
            assert!(warning.starts_with(path.to_str().unwrap()) && warning.contains("tfevents.1.damaged"), "{warning}");
            assert_eq!(events.length(), kept.max(40));
            events.scalars(2.0, 2, [("x", 2.0)]).unwrap();
            let now = std::fs::read(&path).unwrap();
            assert!(whole(&now) == now.len() && now[..kept as usize] == sound[..kept as usize]);
        }
        std::fs::remove_file(&path).unwrap();
        let (events, warning) = EventFile::open(&path, length, 0.0).unwrap();
        assert!(events.length() == 40 && warning.unwrap().contains("is missing"));
    }
}
