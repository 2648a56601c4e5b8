//! The end of a server.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use madang::Server;

use super::{client::Client, start, yard};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_runs_is_finished_first() {
    const SIZE: usize = 32 * 1024 * 1024;
    let folder = std::env::temp_dir().join(format!("madang-stop-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("large"), vec![b'x'; SIZE]).unwrap();
    let (address, running) = start(Server::new().workers(1).static_folder(&folder));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut all = vec![0; 1024];
    stream.read_exact(&mut all).unwrap();
    let ended = tokio::spawn(running.shutdown(Duration::from_secs(20)));
    // Newcomers are turned away: the server's end has begun.
    while !is_turned_away(address) {
        std::thread::yield_now();
    }
    stream.read_to_end(&mut all).unwrap();
    let body = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(all.len() - body, SIZE);
    ended.await.unwrap().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

/// Whether a newcomer hears 503. One that asked just before the end may hear nothing.
fn is_turned_away(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).is_ok() && start == *b"HTTP/1.1 503"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_client_that_reads_nothing_does_not_hold_the_server() {
    let folder = std::env::temp_dir().join(format!("madang-stuck-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("large"), vec![b'x'; 32 * 1024 * 1024]).unwrap();
    let (address, running) = start(Server::new().workers(1).static_folder(&folder));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 16]).unwrap();
    running.shutdown(Duration::from_secs(1)).await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
