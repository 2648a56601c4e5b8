//! The program under attack, and the neighbour who must not notice.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::peer::{PATIENCE, Peer, frame};

/// Longest that the neighbour may wait for its own message to come back, on a machine that builds
/// and tests other things at the same time.
const NOTICED: Duration = Duration::from_secs(2);

/// One attack at a time: they measure.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) struct Yard {
    pub(crate) address: SocketAddr,
    child: Child,
    neighbour: Option<JoinHandle<(usize, Duration)>>,
    stop: Arc<AtomicBool>,
    peak: usize,
    descriptors: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Yard {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        raise_descriptors();
        let mut child = Command::new(env!("CARGO_BIN_EXE_madang"))
            .args(["serve", "--workers", "2", "--listen", "127.0.0.1:0", "--log", "off"])
            .args(arguments)
            .env_remove("MADANG_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // All of the greeting, so that the program never writes to a closed pipe.
        let greeting: Vec<String> = lines.take_while(|line| !line.contains("Ctrl-C")).collect();
        let page = |line: &String| {
            let url = line.trim().strip_prefix("chat page")?.trim().strip_prefix("http://")?;
            Some(url.trim_end_matches('/').parse().unwrap())
        };
        let address = greeting.iter().find_map(page).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let mut neighbour = Peer::upgraded(address, "/ws/neighbour", "");
        trip(&mut neighbour, 0);
        let told = Arc::clone(&stop);
        let neighbour = thread::spawn(move || talk(neighbour, &told));
        let mut yard = Self {
            address,
            child,
            neighbour: Some(neighbour),
            stop,
            peak: 0,
            descriptors: 0,
            _alone: alone,
        };
        yard.peak = yard.status("VmHWM:");
        yard.descriptors = yard.settled();
        yard
    }

    /// The descriptors of a program whose other worker may still be opening its own: the count that
    /// stays the same for some looks.
    fn settled(&self) -> usize {
        let (mut count, mut looks) = (0, 0);
        while looks < 20 {
            let now = self.descriptors();
            looks = if now == count { looks + 1 } else { 0 };
            count = now;
            // The pace of looking.
            thread::sleep(Duration::from_millis(20));
        }
        count
    }

    /// A line of the process's status, in KiB.
    fn status(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// What the process has in memory now, in KiB.
    pub(crate) fn resident(&self) -> usize {
        self.status("VmRSS:")
    }

    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Waits until no connection is left but the neighbour's.
    pub(crate) fn empties(&self) {
        // Of a connection that an HTTP library carries, the kernel gives up a peer that takes nothing
        // after 30 seconds.
        let deadline = Instant::now() + 2 * PATIENCE;
        while self.descriptors() > self.descriptors {
            assert!(Instant::now() < deadline, "{} descriptors stay", self.descriptors());
            // The pace of looking; what is waited for is the count.
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The end of an attack. `most` is how many MiB the process's peak may have grown by.
    pub(crate) fn held(mut self, attack: &str, most: usize) {
        assert!(self.child.try_wait().unwrap().is_none(), "the program ended");
        let grown = self.status("VmHWM:") - self.peak;
        self.stop.store(true, Ordering::Relaxed);
        let (trips, worst) = self.neighbour.take().unwrap().join().unwrap();
        println!("{attack}: peak +{grown} KiB, neighbour: worst {worst:?} of {trips}");
        assert!(grown <= most * 1024, "{attack}: memory grew by {grown} KiB");
        assert!(trips > 0 && worst < NOTICED, "{attack}: the neighbour waited {worst:?}");
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn trip(neighbour: &mut Peer, number: usize) -> Duration {
    let text = number.to_string();
    let start = Instant::now();
    assert!(neighbour.send(&frame(0x81, text.as_bytes())), "the neighbour was disconnected");
    let answer = neighbour.frame();
    assert_eq!(answer, Some((0x81, text.into_bytes())), "the neighbour's own message");
    start.elapsed()
}

fn talk(mut neighbour: Peer, stop: &AtomicBool) -> (usize, Duration) {
    let (mut trips, mut worst) = (0, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        trips += 1;
        worst = worst.max(trip(&mut neighbour, trips));
        thread::sleep(Duration::from_millis(3));
    }
    (trips, worst)
}

/// As many as may be; the program inherits it.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
