//! A conversation with a git server: what revisions it has, and a pack of objects.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use gix_hash::{ObjectId, Prefix};
use gix_pack::Bundle;
use gix_pack::bundle::write::Options;
use gix_protocol::fetch::{Arguments, Response};
use gix_protocol::handshake::Ref;
use gix_protocol::ls_refs::RefPrefixes;
use gix_protocol::{Command, Handshake, LsRefsCommand};
use gix_transport::client::blocking_io::HandleProgress;
use gix_transport::client::blocking_io::http::Transport;
use gix_transport::{Protocol, Service};
use gix_utils::progress::Discard;

use crate::exchange::Requests;
use crate::pack::Pack;
use crate::web::Web;
use crate::{Error, MAX_OBJECT, Remote};

/// What an error repeats of a server's words, in bytes.
const LONGEST_WORDS: usize = 500;

/// A conversation that has begun.
pub(crate) struct Session<'a> {
    remote: &'a Remote,
    scratch: &'a Path,
    web: Rc<Web>,
    transport: Transport<Requests>,
    handshake: Handshake,
}

impl<'a> Session<'a> {
    /// Begins a conversation. Packs are kept below `scratch`.
    pub(crate) fn open(remote: &'a Remote, scratch: &'a Path) -> Result<Self, Error> {
        let web = Web::new(remote)?;
        let url = remote.to_string();
        let url = url
            .as_str()
            .try_into()
            .map_err(|e: gix_error::Error| Error::Url(e.to_string()))?;
        let requests = Requests(Rc::clone(&web));
        let mut transport = Transport::new_http(requests, url, Protocol::V2, false);
        let handshake = gix_protocol::handshake(
            &mut transport,
            Service::UploadPack,
            // `Web` has its own credentials.
            |_| Ok(None),
            Vec::new(),
            &mut Discard,
        );
        let handshake = handshake.map_err(|e| explain(remote, &web, &e))?;
        let session = Self {
            remote,
            scratch,
            web,
            transport,
            handshake,
        };
        session.check_object_format()?;
        Ok(session)
    }

    fn check_object_format(&self) -> Result<(), Error> {
        let format = self.handshake.capabilities.capability("object-format");
        match format.and_then(|capability| capability.value().map(ToString::to_string)) {
            Some(format) if format != "sha1" => Err(self.broken(format_args!(
                "its objects are named by {format}, not by sha1"
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn remote(&self) -> &Remote {
        self.remote
    }

    /// An answer that a git server does not give.
    fn broken(&self, reason: impl Display) -> Error {
        Error::Protocol {
            url: self.remote.to_string(),
            reason: reason.to_string(),
        }
    }

    /// What the server names that begins with one of `prefixes`; older servers name
    /// everything.
    pub(crate) fn refs(&mut self, prefixes: &[&str]) -> Result<Vec<Ref>, Error> {
        if let Some(refs) = &self.handshake.refs {
            return Ok(refs.clone());
        }
        let mut wanted = RefPrefixes::new();
        wanted.extend(prefixes.iter().map(|prefix| (*prefix).into()));
        let command = LsRefsCommand::new(Some(wanted), &self.handshake.capabilities, agent());
        command
            .invoke_blocking(&mut self.transport, &mut Discard, false)
            .map_err(|e| explain(self.remote, &self.web, &e))
    }

    /// A pack with the object `id` and all that its files need. One that the server
    /// does not give by itself is looked for in the history of all branches and tags.
    pub(crate) fn obtain(&mut self, id: ObjectId, is_named: bool) -> Result<Pack, Error> {
        let refused = match self.receive(&[id], Extent::OneCommit) {
            Err(refused @ Error::Protocol { .. }) if !is_named => refused,
            outcome => return outcome,
        };
        *self = Self::open(self.remote, self.scratch)?;
        let pack = self.history(Extent::All)?;
        if pack.holds(id) {
            Ok(pack)
        } else {
            Err(refused)
        }
    }

    /// The commits of all branches and tags whose digits begin so.
    pub(crate) fn commits(&mut self, prefix: Prefix) -> Result<Vec<ObjectId>, Error> {
        self.history(Extent::Commits)?.commits(prefix)
    }

    fn history(&mut self, extent: Extent) -> Result<Pack, Error> {
        let refs = self.refs(&["refs/heads/", "refs/tags/"])?;
        let mut tips: Vec<_> = refs.iter().filter_map(|r| Some(named(r)?.1)).collect();
        tips.sort_unstable();
        tips.dedup();
        self.receive(&tips, extent)
    }

    fn receive(&mut self, wants: &[ObjectId], extent: Extent) -> Result<Pack, Error> {
        let (remote, web) = (self.remote, Rc::clone(&self.web));
        let words = Words::default();
        let received = self.receive_pack(wants, extent, &words);
        received.map_err(|error| match explain(remote, &web, &error) {
            Error::Protocol { url, reason } => {
                let reason = format!("{reason}{}", words.said());
                Error::Protocol { url, reason }
            }
            other => other,
        })
    }

    fn receive_pack(
        &mut self,
        wants: &[ObjectId],
        extent: Extent,
        words: &Words,
    ) -> gix_error::Result<Pack> {
        let version = self.handshake.server_protocol_version;
        let mut features = Command::Fetch.default_features(version, &self.handshake.capabilities);
        Response::check_required_features(version, &features)?;
        features.push(agent());
        let all_in_bands = features.iter().any(|(name, _)| *name == "sideband-all");
        let mut arguments = Arguments::new(version, features, false);
        match extent {
            Extent::OneCommit if arguments.can_use_deepen() => arguments.deepen(1),
            Extent::Commits if arguments.can_use_filter() => arguments.filter("tree:0"),
            _ => {}
        }
        for want in wants {
            arguments.want(want);
        }
        let mut reader = arguments.send(&mut self.transport, true)?;
        if all_in_bands {
            reader.set_progress_handler(Some(words.listener()));
        }
        // `done` is said at once, as there is nothing to negotiate about.
        let response = Response::from_line_reader(version, &mut reader, true, false)?;
        if !response.has_pack() {
            return Err(gix_error::corruption("it sends no pack").into());
        }
        if !all_in_bands {
            reader.set_progress_handler(Some(words.listener()));
        }
        let options = Options {
            thread_limit: Some(1),
            alloc_limit_bytes: Some(MAX_OBJECT),
            ..Options::default()
        };
        let written = Bundle::write_to_directory(
            &mut reader,
            Some(self.scratch),
            &mut Discard,
            &AtomicBool::new(false),
            None::<gix_object::find::Never>,
            gix_hash::Kind::Sha1,
            options,
        )?;
        // What is left must be read before the next request.
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(gix_error::Error::from_error)?;
        let bundle = written.to_bundle();
        let bundle = bundle.ok_or_else(|| gix_error::corruption("its pack is empty"))??;
        Ok(Pack::new(bundle))
    }
}

/// How much of the history of a revision is received.
#[derive(Clone, Copy)]
enum Extent {
    /// The commit with its files.
    OneCommit,
    /// All commits before it too, without files where the server can do that.
    Commits,
    /// All commits before it too, with their files.
    All,
}

/// The name and the object of a revision; an annotated tag is an object itself.
pub(crate) fn named(found: &Ref) -> Option<(String, ObjectId)> {
    let (name, id) = match found {
        Ref::Peeled {
            full_ref_name, tag, ..
        } => (full_ref_name, tag),
        Ref::Direct {
            full_ref_name,
            object,
        } => (full_ref_name, object),
        Ref::Symbolic {
            full_ref_name,
            tag,
            object,
            ..
        } => (full_ref_name, tag.as_ref().unwrap_or(object)),
        Ref::Unborn { .. } => return None,
    };
    Some((name.to_string(), *id))
}

fn agent() -> (&'static str, Option<String>) {
    let name = concat!("pachyderm-seldon/", env!("CARGO_PKG_VERSION"));
    ("agent", Some(gix_protocol::agent(name)))
}

/// An error of gitoxide, or what is behind it.
fn explain(remote: &Remote, web: &Web, error: &gix_error::Error) -> Error {
    if let Some(failure) = web.take_failure() {
        return failure;
    }
    let causes: Vec<_> = error.iter_errors().map(ToString::to_string).collect();
    Error::Protocol {
        url: remote.to_string(),
        reason: causes.join(": "),
    }
}

/// What the server says beside the pack, if it is about an error.
#[derive(Default)]
struct Words(Rc<RefCell<Vec<u8>>>);

impl Words {
    fn listener(&self) -> HandleProgress<'static> {
        let words = Rc::clone(&self.0);
        Box::new(move |is_error, text| {
            let mut words = words.borrow_mut();
            if is_error && words.len() < LONGEST_WORDS {
                words.extend(text.iter().take(LONGEST_WORDS));
            }
            ControlFlow::Continue(())
        })
    }

    fn said(&self) -> String {
        let words = self.0.borrow();
        let words = String::from_utf8_lossy(&words);
        match words.trim() {
            "" => String::new(),
            words => format!("; it says {words:?}"),
        }
    }
}
