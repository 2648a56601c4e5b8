//! How a server leaves.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::mpsc,
    time::{Duration, Instant},
};

use madang::{Server, Socket};

use super::{client::Client, start, yard};

#[tokio::test(flavor = "multi_thread")]
async fn goodbyes_are_spread_over_most_of_the_time() {
    const CLIENTS: usize = 150;
    let (address, running) = yard(1);
    let clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(address, "/ws")).collect();
    let begun = Instant::now();
    let (tell, told) = mpsc::channel();
    for client in clients {
        let tell = tell.clone();
        std::thread::spawn(move || {
            let (code, _) = client.closed();
            tell.send((code, begun.elapsed())).unwrap();
        });
    }
    drop(tell);
    running.shutdown(Duration::from_secs(10)).await.unwrap();
    let mut all: Vec<(u16, Duration)> = told.iter().collect();
    all.sort_by_key(|(_, at)| *at);
    assert_eq!(all.len(), CLIENTS);
    assert!(all.iter().all(|(code, _)| *code == 1001));
    // 150 goodbyes, one in 10 ms. A slow machine makes them later, never sooner.
    for (index, (_, at)) in all.iter().enumerate().step_by(10) {
        let earliest =
            Duration::from_millis(10 * index as u64).saturating_sub(Duration::from_millis(40));
        assert!(*at >= earliest, "{index} at {at:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_meanwhile_hears_503_and_when_to_come_again() {
    let (address, running) = yard(1);
    let staying = Client::connect(address, "/ws");
    // It has said nothing yet.
    let mut silent = TcpStream::connect(address).unwrap();
    let mut other = TcpStream::connect(address).unwrap();
    other.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut start = [0; 12];
    other.read_exact(&mut start).unwrap();
    assert_eq!(start, *b"HTTP/1.1 200");
    let ended = tokio::spawn(running.shutdown(Duration::from_secs(20)));
    // The client does not answer, so the server is still there.
    for stream in [&mut silent, &mut TcpStream::connect(address).unwrap()] {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let is_right = answer.starts_with("HTTP/1.1 503")
            && answer.contains("\r\nRetry-After: ")
            && answer.contains("\r\nMadang-Code: M504\r\n")
            && answer.contains("\r\nConnection: close\r\n");
        assert!(is_right, "{answer}");
    }
    // The one that was kept alive for more requests is closed.
    let mut rest = Vec::new();
    other.read_to_end(&mut rest).unwrap();
    assert_eq!(staying.closed().0, 1001);
    ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_may_finish_within_the_time() {
    let (tell, told) = mpsc::channel();
    let (go, gone) = tokio::sync::watch::channel(false);
    let (address, running) = start(Server::new().workers(1).websocket("/", {
        move |mut socket: Socket| {
            let (tell, mut gone) = (tell.clone(), gone.clone());
            async move {
                while socket.recv().await.is_some() {}
                tell.send("left").unwrap();
                drop(gone.wait_for(|gone| *gone).await);
                tell.send("done").unwrap();
            }
        }
    }));
    let client = Client::connect(address, "/");
    let ended = tokio::spawn(running.shutdown(Duration::from_secs(20)));
    let told = tokio::task::spawn_blocking(move || {
        assert_eq!(client.closed().0, 1001);
        assert_eq!(told.recv().unwrap(), "left");
        told
    });
    let told = told.await.unwrap();
    assert!(!ended.is_finished());
    go.send(true).unwrap();
    ended.await.unwrap().unwrap();
    assert_eq!(told.try_recv().unwrap(), "done");
}
