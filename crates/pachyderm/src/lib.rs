//! What a program in a datum asks of Pachyderm.
//!
//! A job's output commit has the last one as its parent; jobs that failed have
//! closed theirs with an error, and so are passed over. What is new in a commit of
//! the data is the difference to any other commit, and need not be that to its
//! parent. Release 2.1 knows no projects, and commits by their branch alone; later
//! ones know them by their repo: both are always given.

mod error;

/// The messages and services, as `proto/pfs.proto` has them.
#[allow(
    clippy::all,
    clippy::too_many_lines,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "the generator writes it"
)]
pub mod proto {
    tonic::include_proto!("pfs_v2");
}

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

pub use self::error::PachydermError;
use self::proto::api_client::ApiClient;
use self::proto::{
    Branch, Commit, DiffFileRequest, File, FileInfo, FileType, GetFileRequest,
    InspectCommitRequest, Project, Repo,
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest message, in bytes: that of Pachyderm's own clients.
const LONGEST_MESSAGE: usize = 20 << 20;

/// A repo, of which the branch `master` is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoName {
    /// Its project, `default`.
    pub project: String,
    /// Its name.
    pub name: String,
}

/// What has happened to the files between two commits; paths have no leading `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Files that are new or have another content.
    pub new: Vec<String>,
    /// Files that are there no more.
    pub gone: Vec<String>,
}

/// A connection.
#[derive(Debug, Clone)]
pub struct Pachyderm {
    api: ApiClient<Channel>,
    token: Option<MetadataValue<Ascii>>,
    address: String,
}

impl Pachyderm {
    /// Connects to `address`, as `http://127.0.0.1:1653`, where the `PEER_PORT` of a
    /// worker is; the token may be missing where authentication is off.
    ///
    /// # Errors
    ///
    /// When nothing answers there, or the token cannot stand in a header.
    pub async fn connect(address: &str, token: Option<&str>) -> Result<Self, PachydermError> {
        let unreachable = |source| PachydermError::Connect {
            address: address.to_owned(),
            source,
        };
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(unreachable)?;
        let channel = endpoint.connect_timeout(CONNECT).connect().await;
        let token = token
            .map(|token| {
                let mut token: MetadataValue<Ascii> =
                    token.parse().map_err(|_| PachydermError::Token)?;
                token.set_sensitive(true);
                Ok(token)
            })
            .transpose()?;
        let api = ApiClient::new(channel.map_err(unreachable)?);
        Ok(Self {
            api: api.max_decoding_message_size(LONGEST_MESSAGE),
            token,
            address: address.to_owned(),
        })
    }

    /// The newest commit before `commit` of `repo` that was finished without an error.
    ///
    /// # Errors
    ///
    /// When Pachyderm refuses, or does not know the commit.
    pub async fn last_successful(
        &mut self,
        repo: &RepoName,
        commit: &str,
    ) -> Result<Option<String>, PachydermError> {
        let mut next = Some(commit.to_owned());
        let mut first = true;
        while let Some(id) = next {
            let request = InspectCommitRequest {
                commit: Some(repo.commit(&id)),
            };
            let request = self.request(request);
            let answer = self.api.inspect_commit(request).await;
            let what = || format!("the commit {}@{id}", repo.name);
            let info = answer.map_err(|status| self.refused(what(), &status))?;
            let info = info.into_inner();
            let successful = info.finished.is_some() && info.error.is_empty();
            if successful && !first {
                return Ok(Some(id));
            }
            first = false;
            next = info.parent_commit.map(|parent| parent.id);
        }
        Ok(None)
    }

    /// The content of a file; none where the commit has no such file.
    ///
    /// # Errors
    ///
    /// When Pachyderm refuses.
    pub async fn file(
        &mut self,
        repo: &RepoName,
        commit: &str,
        path: &str,
    ) -> Result<Option<Vec<u8>>, PachydermError> {
        let what = || format!("the file {}@{commit}:/{path}", repo.name);
        let request = GetFileRequest {
            file: Some(repo.file(commit, path)),
        };
        let request = self.request(request);
        let mut parts = match self.api.get_file(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) if is_absent(&status) => return Ok(None),
            Err(status) => return Err(self.refused(what(), &status)),
        };
        let mut content = Vec::new();
        loop {
            match parts.message().await {
                Ok(Some(part)) => content.extend(part.value),
                Ok(None) => return Ok(Some(content)),
                Err(status) if is_absent(&status) => return Ok(None),
                Err(status) => return Err(self.refused(what(), &status)),
            }
        }
    }

    /// What has happened to the files of `repo` from the commit `old` to `new`.
    ///
    /// # Errors
    ///
    /// When Pachyderm refuses, or does not know one of the commits.
    pub async fn difference(
        &mut self,
        repo: &RepoName,
        old: &str,
        new: &str,
    ) -> Result<Difference, PachydermError> {
        let what = || format!("the difference of {0}@{old} and {0}@{new}", repo.name);
        let request = DiffFileRequest {
            new_file: Some(repo.file(new, "")),
            old_file: Some(repo.file(old, "")),
            shallow: false,
        };
        let request = self.request(request);
        let answer = self.api.diff_file(request).await;
        let answer = answer.map_err(|status| self.refused(what(), &status))?;
        let mut files = answer.into_inner();
        let mut difference = Difference::default();
        while let Some(pair) = files
            .message()
            .await
            .map_err(|status| self.refused(what(), &status))?
        {
            match (path(pair.new_file), path(pair.old_file)) {
                (Some(new), _) => difference.new.push(new),
                (None, Some(old)) => difference.gone.push(old),
                (None, None) => {}
            }
        }
        Ok(difference)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authn-token", token.clone());
        }
        request
    }

    fn refused(&self, what: String, status: &tonic::Status) -> PachydermError {
        PachydermError::refused(&self.address, what, status)
    }
}

impl RepoName {
    fn commit(&self, id: &str) -> Commit {
        let repo = Repo {
            name: self.name.clone(),
            r#type: "user".to_owned(),
            project: Some(Project {
                name: self.project.clone(),
            }),
        };
        Commit {
            branch: Some(Branch {
                repo: Some(repo.clone()),
                name: "master".to_owned(),
            }),
            id: id.to_owned(),
            repo: Some(repo),
        }
    }

    fn file(&self, commit: &str, path: &str) -> File {
        File {
            commit: Some(self.commit(commit)),
            path: format!("/{path}"),
            datum: String::new(),
        }
    }
}

/// The path of a file without its leading `/`; none of a directory, which stands in
/// a difference as well.
fn path(info: Option<FileInfo>) -> Option<String> {
    let info = info.filter(|info| info.file_type() == FileType::File)?;
    Some(info.file?.path.trim_start_matches('/').to_owned())
}

/// Older releases say so in words alone.
fn is_absent(status: &tonic::Status) -> bool {
    status.code() == Code::NotFound
        || (status.code() == Code::Unknown && status.message().contains("not found"))
}
