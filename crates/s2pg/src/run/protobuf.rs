//! Messages of the protobuf format, as event files and ONNX models are made of.

/// The bytes of a message: for each field its number and kind, then its content.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// Returns the bytes of the message.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn varint(&mut self, mut x: u64) {
        while x >= 0x80 {
            self.0.push(x as u8 | 0x80);
            x >>= 7;
        }
        self.0.push(x as u8);
    }

    /// Adds a field that holds a whole number.
    pub fn number(&mut self, field: u64, x: u64) {
        self.varint(field << 3);
        self.varint(x);
    }

    /// Adds a field that holds a number of double precision.
    pub fn double(&mut self, field: u64, x: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(x.to_le_bytes());
    }

    /// Adds a field that holds a number of single precision.
    pub fn float(&mut self, field: u64, x: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(x.to_le_bytes());
    }

    /// Adds a field that holds bytes, or the UTF-8 of a text.
    pub fn bytes(&mut self, field: u64, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    /// Adds a field that holds a message.
    pub fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}
