//! The object stores of three clouds, for tests, on loopback.
//!
//! What they have in common at the wire, and where they differ: reading, writing and
//! listing objects, and writing one only if it is not there yet (AWS, PutObject and
//! ListObjectsV2; Google, XML API; Azure, Put Blob and List Blobs). Which cloud is
//! meant is seen by the headers and the query that its clients send. Signatures are
//! noted and not checked.
//!
//! Objects are named by the path of their address, `/bucket/folder/name`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a double for tests, whose failure is the test's"
)]

mod list;
mod serve;

use std::collections::BTreeMap;
use std::fmt;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// What is answered for an object.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Its content.
    Content(Vec<u8>),
    /// A refusal with this status.
    Status(u16),
}

/// When a [`Hook`] is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request is read, and has done nothing yet.
    Before,
    /// The request has taken effect, and is not answered yet.
    After,
}

/// What a hook wants of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// That it goes on.
    GoOn,
    /// That the connection is cut, without an answer.
    Cut,
}

/// Called with the number of the request, from 0, its method and path, and the moment.
pub type Hook = Arc<dyn Fn(usize, &str, Moment) -> Then + Send + Sync>;

#[derive(Default)]
struct Shared {
    objects: BTreeMap<String, Answer>,
    authorizations: Vec<String>,
    requests: Vec<String>,
    hook: Option<Hook>,
    ignores_conditions: bool,
}

/// A server on loopback, which ends with the process.
pub struct Bucket {
    address: String,
    shared: Arc<Mutex<Shared>>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.address).finish()
    }
}

impl Bucket {
    /// Serves objects by the path of their address.
    pub fn start(objects: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let objects = objects.into_iter();
        let shared = Arc::new(Mutex::new(Shared {
            objects: objects
                .map(|(path, bytes)| (path, Answer::Content(bytes)))
                .collect(),
            ..Shared::default()
        }));
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let served = Arc::clone(&served);
                // A connection that breaks is the client's affair.
                thread::spawn(move || drop(serve::serve(connection.unwrap(), &served)));
            }
        });
        Self { address, shared }
    }

    /// Its address, as clients take it for that of a cloud.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables by which a client of each cloud finds it, with the scheme of the
    /// cloud's URLs.
    pub fn clouds(&self) -> [(&'static str, Vec<(String, String)>); 3] {
        let url = self.url();
        let key = format!(
            "{{\"gcs_base_url\":\"{url}\",\"disable_oauth\":true,\"client_email\":\"\",\
             \"private_key\":\"\",\"private_key_id\":\"\"}}"
        );
        let connection = format!("AccountName=acct;AccountKey=aHVudGVyMg==;BlobEndpoint={url}");
        let s3 = [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAENV"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        [
            ("s3", s3.map(owned).to_vec()),
            ("gs", vec![owned(("GOOGLE_SERVICE_ACCOUNT_KEY", &key))]),
            (
                "az",
                vec![owned(("AZURE_STORAGE_CONNECTION_STRING", &connection))],
            ),
        ]
    }

    /// Answers so for an object from now on.
    pub fn answer(&self, path: &str, answer: Answer) {
        self.lock().objects.insert(path.to_owned(), answer);
    }

    /// The objects that are there.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let shared = self.lock();
        let contents = shared.objects.iter();
        contents
            .filter_map(|(path, answer)| match answer {
                Answer::Content(bytes) => Some((path.clone(), bytes.clone())),
                Answer::Status(_) => None,
            })
            .collect()
    }

    /// Removes all objects.
    pub fn clear(&self) {
        self.lock().objects.clear();
    }

    /// The authorization of each request since the last look.
    pub fn take_authorizations(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().authorizations)
    }

    /// Method and path of each request since the last look; the numbers of a hook's
    /// requests begin anew.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().requests)
    }

    /// Calls `hook` at both moments of each request from now on, or no more.
    pub fn hook(&self, hook: Option<Hook>) {
        self.lock().hook = hook;
    }

    /// Overwrites from now on also where a client wants to write only what is not
    /// there, as stores do that do not know that condition.
    pub fn ignore_conditions(&self) {
        self.lock().ignores_conditions = true;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }
}
