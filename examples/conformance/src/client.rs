//! Our client against Autobahn's fuzzing server: every case is a connection on which it echoes.

use madang::{WebSocket, websocket::Connect};

use super::limits;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Runs all cases and asks for the reports.
pub(crate) async fn run(url: &str) -> Result {
    let agent = std::env::var("AUTOBAHN_AGENT").unwrap_or_else(|_| "madang".to_owned());
    let count: usize = match open(&format!("{url}/getCaseCount")).await?.recv().await {
        Some(message) => message?.as_text().unwrap_or_default().parse()?,
        None => return Err("the fuzzing server did not tell how many cases there are".into()),
    };
    for case in 1..=count {
        let mut socket = open(&format!("{url}/runCase?case={case}&agent={agent}")).await?;
        // An error here is the case's doing: it ends with the connection.
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    }
    let mut socket = open(&format!("{url}/updateReports?agent={agent}")).await?;
    while socket.recv().await.is_some() {}
    Ok(())
}

async fn open(url: &str) -> Result<WebSocket> {
    Ok(Connect::to(url).limits(limits()).open().await?.0)
}
