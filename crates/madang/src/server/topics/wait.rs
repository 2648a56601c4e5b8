//! Waiting for news of topics.

use std::sync::Arc;

use madang_proto::{Cursor, Topic, session::Present};
use tokio::sync::Notify;

use crate::hub::{Attendance, Endpoint, Hub, Join, JoinError, Mail, Post};

/// Rings whenever something comes to one of its topics. Dropping it leaves them.
pub(super) struct Bell {
    news: Arc<News>,
    _endpoint: Endpoint,
}

#[derive(Default)]
struct News(Notify);

impl Post for News {
    fn post(&self, _: Mail) {
        // What it was is read from the topic, after the reader's own cursor.
        self.0.notify_one();
    }
}

impl Bell {
    /// Joins topics; `who` is present in them for as long as the bell is there.
    pub(super) fn hang<'a>(
        hub: &Hub,
        topics: impl Iterator<Item = &'a Topic>,
        who: Option<&Present>,
    ) -> Result<Self, JoinError> {
        let news = Arc::new(News::default());
        let endpoint = hub.attach(Arc::clone(&news) as Arc<dyn Post>);
        for topic in topics {
            let present = who.map(|who| Attendance { who: who.clone(), door: "poll" });
            let join = Join { member: 0, from: Cursor::Now, watch: false, present };
            endpoint.join(topic, join)?;
        }
        Ok(Self { news, _endpoint: endpoint })
    }

    /// Returns when something has come since the last call, or since the bell was hung.
    pub(super) async fn rung(&self) {
        self.news.0.notified().await;
    }
}
