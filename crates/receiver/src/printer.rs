//! Lines for the terminal, by a thread of their own: a terminal that does not take them holds up no guest. What it cannot
//! take is left out and counted; it is in the store.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Texts that wait.
const WAITING: usize = 1024;

/// Where texts for the terminal go.
#[derive(Debug)]
pub struct Printer {
    queue: Option<SyncSender<String>>,
    left_out: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Printer {
    /// To this output.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn to(mut out: impl Write + Send + 'static) -> std::io::Result<Printer> {
        let (queue, texts) = sync_channel::<String>(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&left_out);
        let thread = std::thread::Builder::new().name("printer".into()).spawn(move || {
            for text in texts {
                let missed = count.swap(0, Ordering::Relaxed);
                let missed = match missed {
                    0 => String::new(),
                    count => {
                        format!("(the terminal was too slow: {count} lines are in the store and not here)\n")
                    }
                };
                // Without a terminal there is nobody to tell; the store has everything.
                let _ = out.write_all(format!("{missed}{text}").as_bytes()).and_then(|()| out.flush());
            }
        })?;
        Ok(Printer { queue: Some(queue), left_out, thread: Some(thread) })
    }

    /// Prints a text, or leaves it out.
    pub fn print(&self, text: String) {
        if let Some(queue) = &self.queue
            && let Err(TrySendError::Full(_)) = queue.try_send(text)
        {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Takes nothing until it is told to.
    struct Slow(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_that_takes_nothing_holds_up_nobody() {
        let (go, wait) = channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let printer = Printer::to(Slow(wait, Arc::clone(&written))).unwrap();
        for line in 0..3 * WAITING {
            printer.print(format!("{line}\n"));
        }
        drop(go);
        drop(printer);
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let told: u64 = text
            .lines()
            .filter_map(|line| line.split(": ").nth(1)?.split(' ').next()?.parse::<u64>().ok())
            .sum();
        let lines = text.lines().filter(|line| line.parse::<u64>().is_ok()).count() as u64;
        assert!(lines >= WAITING as u64 && told <= 3 * WAITING as u64 - lines, "{lines} {told}");
    }
}
