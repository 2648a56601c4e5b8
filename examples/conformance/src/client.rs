//! The client side: what a fuzzing server plays with.
//!
//! `URL/getCaseCount` tells how many cases there are; for each, `URL/runCase?case=N&agent=NAME` is
//! opened and every message echoed, until the server ends it. `AUTOBAHN_AGENT` is the name.

use madang::websocket::{Connect, Limits, WebSocket};

type Failure = Box<dyn std::error::Error>;

/// Plays every case of the server at `url`. What a case does to its connection is the server's to
/// judge; an error is one that ends the run.
pub(crate) async fn run(url: &str, limits: Limits) -> Result<(), Failure> {
    let agent = std::env::var("AUTOBAHN_AGENT").unwrap_or_else(|_| "madang".into());
    let mut counting = open(&format!("{url}/getCaseCount"), &limits).await?;
    let count = counting.recv().await.ok_or("the server tells no number of cases")??;
    let count: u32 = count.as_text().ok_or("the number of cases is no text")?.parse()?;
    while let Some(Ok(_)) = counting.recv().await {}
    for case in 1..=count {
        let socket = open(&format!("{url}/runCase?case={case}&agent={agent}"), &limits).await?;
        if let Err(error) = echo(socket).await {
            println!("case {case}: {error}");
        }
    }
    Ok(())
}

async fn open(url: &str, limits: &Limits) -> Result<WebSocket, Failure> {
    let (socket, _) = Connect::to(url).limits(*limits).open().await?;
    Ok(socket)
}

async fn echo(mut socket: WebSocket) -> Result<(), madang::websocket::Error> {
    while let Some(message) = socket.recv().await {
        // Written when no more messages are there to be read.
        socket.feed(message?).await?;
    }
    Ok(())
}
