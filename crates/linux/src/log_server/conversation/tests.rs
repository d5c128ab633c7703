//! Conversations that end in every way in which a server's program can leave its kernel with bytes. The certificates
//! are made by the openssl program; the server is OpenSSL's library, driven step by step.

use super::*;
use crate::log_server::connect;
use crate::pki::Pki;
use std::net::TcpListener;
use std::sync::mpsc;

use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod};

const LIMIT: Duration = Duration::from_secs(30);

struct Server {
    pki: Pki,
    context: SslContext,
    listener: TcpListener,
    patience: Option<Duration>,
}

impl Server {
    fn new() -> Server {
        let pki = Pki::new();
        let mut context = SslContextBuilder::new(SslMethod::tls_server()).unwrap();
        context.set_certificate_file(pki.path("server.pem"), SslFiletype::PEM).unwrap();
        context.set_private_key_file(pki.path("server.key"), SslFiletype::PEM).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Server { pki, context: context.build(), listener, patience: None }
    }

    fn accept(&self) -> SslStream<TcpStream> {
        Ssl::new(&self.context).unwrap().accept(self.listener.accept().unwrap().0).unwrap()
    }

    /// Runs a client that sends so many bytes and finishes, beside a server that does `serve`.
    fn serve(&self, bytes: usize, serve: impl FnOnce(SslStream<TcpStream>) + Send) -> Result<Ending> {
        let target = self.pki.target("localhost", self.listener.local_addr().unwrap().port());
        std::thread::scope(|scope| {
            scope.spawn(|| serve(self.accept()));
            let deadline = Instant::now() + LIMIT;
            let mut conversation = connect(&target, deadline).unwrap();
            conversation.write(&vec![b'x'; bytes], deadline)?;
            conversation.finish(deadline, self.patience)
        })
    }
}

/// Reads so many bytes.
fn read(stream: &mut SslStream<TcpStream>, bytes: usize) {
    stream.read_exact(&mut vec![0; bytes]).unwrap();
}

/// Waits until so many bytes of a conversation lie unread in the server's kernel.
fn wait_for_unread(socket: &TcpStream, bytes: usize) {
    while socket.peek(&mut vec![0; bytes]).unwrap() < bytes {
        std::thread::yield_now();
    }
}

/// Bytes of a goodbye in TLS 1.3: header, alert, type, tag.
const GOODBYE: usize = 5 + 2 + 1 + 16;

#[test]
fn a_server_that_reads_to_our_goodbye_has_confirmed() {
    let server = Server::new();
    for goodbye in [true, false] {
        let answer = server.serve(100_000, |mut stream| {
            read(&mut stream, 100_000);
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            if goodbye {
                stream.shutdown().unwrap();
            }
        });
        assert_eq!(answer, Ok(Ending::Answered), "goodbye {goodbye}");
    }
}

#[test]
fn a_server_that_waits_for_the_end_of_the_connection_is_told_apart() {
    let server = Server { patience: Some(Duration::from_millis(10)), ..Server::new() };
    let answer = server.serve(1000, |mut stream| {
        read(&mut stream, 1000);
        let mut socket = stream.get_ref();
        assert!(io::copy(&mut socket, &mut io::sink()).unwrap() > 0);
    });
    assert_eq!(answer, Ok(Ending::Closed));
}

/// A program that closes its socket at once, or says goodbye before that (as rsyslogd does).
#[test]
fn a_server_that_leaves_bytes_unread_has_not_confirmed() {
    let server = Server::new();
    for goodbye in [false, true].repeat(10) {
        // Nothing but our goodbye is unread: the program cannot know that there is no more.
        for unread in [1, 100, 0] {
            let answer = server.serve(1000, |mut stream| {
                read(&mut stream, 1000 - unread);
                if unread < 100 {
                    // The one record of all bytes is in the library; the goodbye is in the kernel.
                    wait_for_unread(stream.get_ref(), GOODBYE);
                }
                if goodbye {
                    stream.shutdown().unwrap();
                }
            });
            assert_eq!(answer, Err(ConnectionError::HungUp), "goodbye {goodbye}, {unread} unread");
        }
    }
}

/// As syslog-ng does. The client waits for what follows the end, so its own end never comes in between.
#[test]
fn a_server_that_ends_both_halves_before_it_closes_has_not_confirmed() {
    let server = Server::new();
    for goodbye in [false, true].repeat(5) {
        let answer = server.serve(1000, |mut stream| {
            wait_for_unread(stream.get_ref(), 1000);
            if goodbye {
                stream.shutdown().unwrap();
            }
            stream.get_ref().shutdown(Shutdown::Both).unwrap();
        });
        assert_eq!(answer, Err(ConnectionError::HungUp), "goodbye {goodbye}");
    }
}

#[test]
fn a_server_that_leaves_before_our_goodbye_comes_has_not_confirmed() {
    let server = Server::new();
    let target = server.pki.target("localhost", server.listener.local_addr().unwrap().port());
    for goodbye in [true, false] {
        let (left, has_left) = mpsc::channel();
        let answer = std::thread::scope(|scope| {
            let server = &server;
            scope.spawn(move || {
                let mut stream = server.accept();
                read(&mut stream, 1000);
                if goodbye {
                    stream.shutdown().unwrap();
                }
                drop(stream);
                left.send(()).unwrap();
            });
            let deadline = Instant::now() + LIMIT;
            let mut conversation = connect(&target, deadline).unwrap();
            conversation.write(&[b'x'; 1000], deadline).unwrap();
            has_left.recv().unwrap();
            // It is noticed while waiting as well.
            let noticed = conversation.listen();
            conversation.finish(deadline, None).and(noticed)
        });
        assert_eq!(answer, Err(ConnectionError::HungUp), "goodbye {goodbye}");
    }
}

#[test]
fn a_server_that_says_nothing_is_waited_for_until_the_deadline_and_no_longer() {
    let server = Server::new();
    let target = server.pki.target("localhost", server.listener.local_addr().unwrap().port());
    let (done, wait) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let server = &server;
        scope.spawn(move || {
            let stream = server.accept();
            let _ = wait.recv();
            drop(stream);
        });
        let mut conversation = connect(&target, Instant::now() + LIMIT).unwrap();
        // More than all buffers between hold: it is not read.
        let much = vec![b'x'; 64 << 20];
        let answer = conversation.write(&much, Instant::now() + Duration::from_millis(300));
        assert_eq!(answer, Err(ConnectionError::Silent));
        drop(conversation);
        drop(done);
    });
}
