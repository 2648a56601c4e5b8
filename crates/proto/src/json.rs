//! JSON that is written by hand around `serde_json`'s strings.

/// A JSON object that is being written.
pub(crate) struct Object(Vec<u8>);

impl Object {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(160))
    }

    /// `key` is one of ours and needs no escaping.
    fn key(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.0.push(b'"');
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn value(&mut self, value: impl serde::Serialize) {
        // Strings and lists of them always have a JSON form, and a Vec takes every byte.
        if serde_json::to_writer(&mut self.0, &value).is_err() {
            self.0.extend_from_slice(b"null");
        }
    }

    pub(crate) fn string(&mut self, key: &str, value: &str) {
        self.key(key);
        self.value(value);
    }

    pub(crate) fn strings(&mut self, key: &str, values: &[&str]) {
        self.key(key);
        self.value(values);
    }

    pub(crate) fn strings_by_name(&mut self, key: &str, pairs: &[(Box<str>, Box<str>)]) {
        self.key(key);
        self.0.push(b'{');
        for (at, (name, value)) in pairs.iter().enumerate() {
            if at > 0 {
                self.0.push(b',');
            }
            self.value(name);
            self.0.push(b':');
            self.value(value);
        }
        self.0.push(b'}');
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.value(value);
    }

    pub(crate) fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.0.extend_from_slice(json);
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}
