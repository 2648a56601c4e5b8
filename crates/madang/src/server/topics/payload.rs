//! The body of a request, over whichever HTTP.

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};

/// Why a body cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Unread {
    TooLarge,
    Cut,
}

/// The body of a request.
pub(in super::super) trait Payload: Send {
    /// All of it, up to `most` bytes.
    fn read(self, most: usize) -> impl Future<Output = Result<Bytes, Unread>> + Send;
}

impl Payload for Incoming {
    async fn read(self, most: usize) -> Result<Bytes, Unread> {
        if self.size_hint().lower() > most as u64 {
            return Err(Unread::TooLarge);
        }
        let collected = Limited::new(self, most).collect().await;
        let collected = collected.map_err(|error| {
            if error.is::<LengthLimitError>() { Unread::TooLarge } else { Unread::Cut }
        })?;
        Ok(collected.to_bytes())
    }
}

impl Payload for RecvStream {
    async fn read(mut self, most: usize) -> Result<Bytes, Unread> {
        let mut all = BytesMut::new();
        while let Some(data) = self.data().await {
            let data = data.map_err(|_| Unread::Cut)?;
            if data.len() > most - all.len() {
                return Err(Unread::TooLarge);
            }
            all.extend_from_slice(&data);
            self.flow_control().release_capacity(data.len()).map_err(|_| Unread::Cut)?;
        }
        Ok(all.freeze())
    }
}
