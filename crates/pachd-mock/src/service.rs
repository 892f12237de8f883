//! The answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use pachyderm::proto::api_server::Api;
use pachyderm::proto::{
    BytesValue, Commit as Reference, CommitInfo, DiffFileRequest, DiffFileResponse, File, FileInfo,
    FileType, GetFileRequest, InspectCommitRequest, Timestamp,
};
use tonic::{Request, Response, Status};

use crate::{Commit, Files, State, World};

/// Bytes of a part of a file.
const PART: usize = 1000;

/// An answer in parts that are there already.
type Parts<T> = tokio_stream::Iter<std::vec::IntoIter<Result<T, Status>>>;

pub(crate) struct Pachd(pub(crate) Arc<Mutex<World>>);

impl Pachd {
    /// Checks the token and notes the call.
    fn asked<R>(
        &self,
        request: &Request<R>,
        call: &str,
    ) -> Result<std::sync::MutexGuard<'_, World>, Status> {
        let mut world = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        world.calls.push(call.to_owned());
        let given = request.metadata().get("authn-token");
        match (&world.token, given.and_then(|token| token.to_str().ok())) {
            (None, _) => Ok(world),
            (Some(wanted), Some(given)) if wanted == given => Ok(world),
            (_, None) => Err(Status::unauthenticated(
                "no authentication token (try logging in)",
            )),
            _ => Err(Status::unauthenticated(
                "provided auth token is corrupted or has expired (try logging in again)",
            )),
        }
    }
}

impl World {
    /// The commit, and the one before it.
    fn find(&self, wanted: Option<&Reference>) -> Result<(&Commit, Option<&Commit>), Status> {
        let wanted = wanted.ok_or_else(|| Status::unknown("commit cannot be nil"))?;
        let branch = wanted.branch.as_ref().and_then(|b| b.repo.as_ref());
        let repo = branch.ok_or_else(|| Status::unknown("branch cannot be nil"))?;
        let commits = self.repos.get(&repo.name).map_or(&[][..], Vec::as_slice);
        let absent = || {
            let words = format!("commit {}@{} not found", repo.name, wanted.id);
            self.absent(words)
        };
        let at = commits.iter().position(|commit| commit.id == wanted.id);
        let at = at.ok_or_else(absent)?;
        Ok((
            &commits[at],
            at.checked_sub(1).map(|before| &commits[before]),
        ))
    }

    fn absent(&self, words: String) -> Status {
        match self.old {
            true => Status::unknown(words),
            false => Status::not_found(words),
        }
    }

    /// The files of a commit that can be read.
    fn read(&self, file: Option<&File>) -> Result<&Files, Status> {
        let (commit, _) = self.find(file.and_then(|file| file.commit.as_ref()))?;
        match commit.state {
            State::Finished => Ok(&commit.files),
            State::Open => Err(Status::unknown(format!(
                "commit {} not finished",
                commit.id
            ))),
            State::Failed => Err(Status::unknown(format!(
                "commit {} was finished with an error",
                commit.id
            ))),
        }
    }
}

#[tonic::async_trait]
impl Api for Pachd {
    async fn inspect_commit(
        &self,
        request: Request<InspectCommitRequest>,
    ) -> Result<Response<CommitInfo>, Status> {
        let world = self.asked(&request, "InspectCommit")?;
        let wanted = request.get_ref().commit.clone();
        let (commit, parent) = world.find(wanted.as_ref())?;
        let parent = parent.map(|parent| Reference {
            id: parent.id.clone(),
            ..wanted.clone().unwrap_or_default()
        });
        let error = match commit.state {
            State::Failed => "datum e3fbf5e3 failed",
            _ => "",
        };
        let closed = commit.state != State::Open;
        Ok(Response::new(CommitInfo {
            commit: wanted,
            parent_commit: parent,
            finished: closed.then_some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            error: error.to_owned(),
        }))
    }

    type DiffFileStream = Parts<DiffFileResponse>;

    async fn diff_file(
        &self,
        request: Request<DiffFileRequest>,
    ) -> Result<Response<Self::DiffFileStream>, Status> {
        let world = self.asked(&request, "DiffFile")?;
        let request = request.get_ref();
        let new = world.read(request.new_file.as_ref())?;
        let old = world.read(request.old_file.as_ref())?;
        let all: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
        let mut pairs = Vec::new();
        let mut folders = BTreeSet::new();
        for name in all
            .into_iter()
            .filter(|name| new.get(*name) != old.get(*name))
        {
            for (end, _) in name.match_indices('/') {
                if folders.insert(&name[..=end]) {
                    let folder = Some(info(&name[..=end], FileType::Dir));
                    pairs.push(Ok(DiffFileResponse {
                        new_file: folder.clone(),
                        old_file: folder,
                    }));
                }
            }
            let side = |files: &Files| files.get(name).map(|_| info(name, FileType::File));
            pairs.push(Ok(DiffFileResponse {
                new_file: side(new),
                old_file: side(old),
            }));
        }
        Ok(Response::new(tokio_stream::iter(pairs)))
    }

    type GetFileStream = Parts<BytesValue>;

    async fn get_file(
        &self,
        request: Request<GetFileRequest>,
    ) -> Result<Response<Self::GetFileStream>, Status> {
        let world = self.asked(&request, "GetFile")?;
        let file = request.get_ref().file.as_ref();
        let files = world.read(file)?;
        let path = file.map_or("", |file| file.path.as_str());
        let content = files
            .get(path.trim_start_matches('/'))
            .ok_or_else(|| world.absent(format!("file {path:?} not found")))?;
        let parts = content.chunks(PART).map(|part| {
            let value = part.to_vec();
            Ok(BytesValue { value })
        });
        let parts: Vec<_> = parts.collect();
        Ok(Response::new(tokio_stream::iter(parts)))
    }
}

fn info(path: &str, kind: FileType) -> FileInfo {
    FileInfo {
        file: Some(File {
            path: format!("/{path}"),
            ..File::default()
        }),
        file_type: kind.into(),
    }
}
