//! The attack: a program, its publishers, its clients, and what all of them have to agree on.

use std::{
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    bodies::Message,
    client::{Client, Figures},
    door::{self, Door, News},
    publish::{self, EACH},
    random::Random,
    server::Server,
    wire::End,
};

pub(crate) const TOPIC: &str = "loss";
/// How long the clients may take to read what is left, on a machine that keeps pace badly.
const CATCH_UP: Duration = Duration::from_mins(3);
/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How the attack goes.
pub(crate) struct Attack {
    /// Of each door.
    pub(crate) clients: u64,
    pub(crate) lasts: Duration,
    /// Clients stay away now and then until the history has forgotten what they miss.
    pub(crate) absent: bool,
}

impl Attack {
    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<(Door, Figures)> {
        let seed =
            std::env::var("LOSS_SEED").map_or(0x6d61_6461_6e67, |seed| seed.parse().unwrap());
        println!("LOSS_SEED={seed}");
        let mut server = Server::start(arguments);
        let each = u32::try_from(self.lasts.as_secs()).unwrap() * EACH;
        let scene = Scene::begin(server.address, each, self.absent);
        let clients =
            Door::ALL.into_iter().flat_map(|door| (0..self.clients).map(move |n| (door, n)));
        let results: Vec<_> = thread::scope(|threads| {
            let running: Vec<_> = clients
                .map(|(door, number)| {
                    let random = Random::new(seed ^ number << 8 ^ door as u64);
                    let client = Client::new(door, &scene, random);
                    (door, threads.spawn(|| scene.or_fail(client.run())))
                })
                .collect();
            let socket = threads.spawn(|| scene.or_fail(publish::by_websocket(&scene, each)));
            let posted = scene.or_fail(publish::by_post(&scene, each));
            let sent = socket.join().unwrap();
            scene.over();
            let figures = running.into_iter().map(|(door, one)| (door, one.join().unwrap()));
            let figures: Vec<_> = figures.collect();
            if let Some(why) = scene.failed.get() {
                panic!("LOSS_SEED={seed}: {why}");
            }
            posted.and(sent).unwrap();
            figures
        });
        assert!(server.is_alive(), "the program ended");
        let mut sums: Vec<_> = Door::ALL.map(|door| (door, Figures::default())).into();
        for (door, figures) in results {
            sums[door as usize].1 += figures.unwrap();
        }
        scene.check_truth(each);
        sums
    }
}

/// What publishers and clients share.
pub(crate) struct Scene {
    pub(crate) address: SocketAddr,
    pub(crate) absent: bool,
    /// The number of the message that was there before all, and how many follow.
    pub(crate) first: u64,
    pub(crate) total: u64,
    epoch: String,
    /// Which message has which number, as the first who heard of it says.
    truth: Vec<AtomicU64>,
    posted: AtomicU64,
    /// What the first who failed says.
    failed: OnceLock<String>,
    is_over: AtomicBool,
    deadline: Instant,
}

impl Scene {
    fn begin(address: SocketAddr, each: u32, absent: bool) -> Self {
        let total = 2 * u64::from(each);
        let id = publish::first(address).unwrap();
        let (epoch, first) = door::split(&id).unwrap();
        Self {
            address,
            absent,
            first,
            total,
            epoch: epoch.to_owned(),
            truth: (0..total).map(|_| AtomicU64::new(0)).collect(),
            posted: AtomicU64::new(0),
            failed: OnceLock::new(),
            is_over: AtomicBool::new(false),
            deadline: Instant::now() + publish::length(each) * 4 + CATCH_UP,
        }
    }

    pub(crate) fn last(&self) -> u64 {
        self.first + self.total
    }

    pub(crate) fn id(&self, seq: u64) -> String {
        format!("{}-{seq}", self.epoch)
    }

    pub(crate) fn seq(&self, id: &str) -> Result<u64, End> {
        match door::split(id)? {
            (epoch, seq) if epoch == self.epoch => Ok(seq),
            _ => Err(End::Wrong(format!("{id} is of another epoch than {}", self.epoch))),
        }
    }

    /// What somebody who has all up to `last` is told: the next message, or a gap. The number up to
    /// which it has, or has missed, everything now.
    pub(crate) fn hears(&self, last: u64, news: &News) -> Result<u64, End> {
        match news {
            News::Message { id, text } => {
                let seq = self.seq(id)?;
                if seq != last + 1 {
                    return Err(End::Wrong(format!("{id} came after {last}, silently")));
                }
                let short = || text.chars().take(40).collect::<String>();
                let message = Message::read(text)
                    .ok_or_else(|| End::Wrong(format!("nobody published {id}: {:?}", short())))?;
                self.says(seq, message).map(|()| seq)
            }
            News::Gap { id } => match self.seq(id)? {
                seq if seq > last => Ok(seq),
                _ => Err(End::Wrong(format!("a gap to {id} after {last}: nothing was lost"))),
            },
        }
    }

    /// Everybody has to say the same.
    pub(crate) fn says(&self, seq: u64, message: Message) -> Result<(), End> {
        let place = seq.checked_sub(self.first + 1).and_then(|at| self.truth.get(at as usize));
        let place = place.ok_or_else(|| End::Wrong(format!("{seq} is more than was sent")))?;
        match place.compare_exchange(0, message.pack(), SeqCst, SeqCst) {
            Err(other) if other != message.pack() => {
                let other = Message::unpack(other);
                Err(End::Wrong(format!("{seq} is {message} here, and {other:?} elsewhere")))
            }
            _ => Ok(()),
        }
    }

    /// Each message has one number, and those of a publisher are in the order in which it sent them.
    fn check_truth(&self, each: u32) {
        let said: Vec<_> =
            self.truth.iter().filter_map(|place| Message::unpack(place.load(SeqCst))).collect();
        let of = |wanted: fn(&Message) -> bool| -> Vec<Message> {
            said.iter().copied().filter(wanted).collect()
        };
        let sent: Vec<_> = (0..each).map(Message::WebSocket).collect();
        assert_eq!(of(|message| matches!(message, Message::WebSocket(_))), sent);
        let posted: Vec<_> = (0..each).map(Message::Post).collect();
        assert_eq!(of(|message| matches!(message, Message::Post(_))), posted);
    }

    pub(crate) fn posted(&self) {
        self.posted.fetch_add(1, SeqCst);
    }

    /// Waits until so many more are posted, or no more come.
    pub(crate) fn wait_for_posts(&self, count: u64) -> Result<(), String> {
        let wanted = self.posted.load(SeqCst) + count;
        while self.posted.load(SeqCst) < wanted && !self.is_over() {
            self.check()?;
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn over(&self) {
        self.is_over.store(true, SeqCst);
    }

    /// Nothing new comes, and nobody is cut any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }

    /// Whether to go on.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.failed.get().is_some() {
            return Err("another one failed".into());
        }
        if Instant::now() > self.deadline { Err("the rest never came".into()) } else { Ok(()) }
    }

    fn or_fail<T>(&self, result: Result<T, String>) -> Result<T, String> {
        if let Err(why) = &result {
            self.failed.get_or_init(|| why.clone());
        }
        result
    }
}
