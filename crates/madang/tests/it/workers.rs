//! Several workers: one order for all, nothing lost, nothing twice.

use std::thread;

use super::{client::Client, yard};

#[tokio::test]
async fn all_members_of_all_workers_see_one_order() {
    const EACH: usize = 200;
    let (address, _running) = yard(4);
    // Enough connections that every worker has some, whatever the kernel chooses.
    let mut readers: Vec<_> = (0..24).map(|_| Client::connect(address, "/ws/room")).collect();
    for reader in &mut readers {
        reader.ping(b"");
        reader.next();
    }
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            thread::spawn(move || {
                let mut client = Client::connect(address, "/ws/room");
                for number in 0..EACH {
                    client.text(&format!("{writer} {number}"));
                }
                client.close()
            })
        })
        .collect();
    let seen: Vec<Vec<String>> = readers
        .iter_mut()
        .map(|reader| (0..4 * EACH).map(|_| reader.next_text()).collect())
        .collect();
    for order in &seen {
        assert_eq!(order, &seen[0]);
    }
    for writer in 0..4 {
        let prefix = format!("{writer} ");
        let own: Vec<_> = seen[0].iter().filter(|text| text.starts_with(&prefix)).collect();
        let expected: Vec<_> = (0..EACH).map(|number| format!("{writer} {number}")).collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
    }
    for writer in writers {
        assert_eq!(writer.join().unwrap().0, 1000);
    }
}

#[tokio::test]
async fn who_joins_in_the_middle_gets_each_message_once() {
    const COUNT: usize = 2_000;
    let (address, _running) = yard(4);
    let mut first = Client::connect(address, "/ws/room?envelope=json");
    first.text("0");
    first.next_json();
    let writer = thread::spawn(move || {
        for number in 1..COUNT {
            first.text(&number.to_string());
        }
        (0..COUNT - 1).map(|_| first.next_json()["data"].clone()).collect::<Vec<_>>()
    });
    let joiners: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Client::connect(address, "/ws/room?since=earliest");
                let mut numbers: Vec<usize> = vec![client.next_text().parse().unwrap()];
                while *numbers.last().unwrap() != COUNT - 1 {
                    numbers.push(client.next_text().parse().unwrap());
                }
                numbers
            })
        })
        .collect();
    for joiner in joiners {
        let numbers = joiner.join().unwrap();
        let expected: Vec<usize> = (numbers[0]..COUNT).collect();
        assert_eq!(numbers, expected);
    }
    assert_eq!(writer.join().unwrap().len(), COUNT - 1);
}

/// A browser whose `open` event has fired must not miss what is said from then on.
#[tokio::test]
async fn who_has_the_answer_to_its_handshake_is_in_its_topic() {
    let (address, _running) = yard(4);
    for round in 0..200 {
        let path = format!("/ws/room-{round}");
        let mut speaker = Client::connect(address, &path);
        let mut listener = Client::connect(address, &path);
        speaker.text("said at once");
        assert_eq!(listener.next_text(), "said at once", "{round}");
    }
}
