//! The end of a server.

use std::{net::TcpStream, time::Duration};

use super::{client::Client, yard};

#[tokio::test]
async fn clients_are_told_that_the_server_goes() {
    let (address, running) = yard(3);
    let clients: Vec<_> = (0..12).map(|_| Client::connect(address, "/ws")).collect();
    let ended = tokio::spawn(running.shutdown(Duration::from_secs(10)));
    let closed = tokio::task::spawn_blocking(|| {
        clients.into_iter().map(|client| client.closed().0).collect::<Vec<_>>()
    });
    assert!(closed.await.unwrap().iter().all(|code| *code == 1001));
    ended.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn a_client_that_does_not_answer_does_not_hold_the_server() {
    let (address, running) = yard(1);
    let silent = Client::connect(address, "/ws");
    running.shutdown(Duration::from_secs(1)).await.unwrap();
    assert_eq!(silent.closed().0, 1001);
}
