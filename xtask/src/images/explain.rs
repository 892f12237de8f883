//! What to do about the failures that an engine reports most often.

/// Words of an engine or a registry, in lower case, and the way out.
const HELP: [(&str, &str); 16] = [
    (
        "exec format error",
        "the image is for another processor; see --platform",
    ),
    (
        "oci runtime",
        "the engine could not start a container; it has to permit one without network, \
         rights and a writable root",
    ),
    (
        "cannot connect to the docker daemon",
        "start the docker daemon, or set DOCKER_HOST",
    ),
    (
        "permission denied while trying to connect",
        "let this user reach the docker daemon (group docker), or set DOCKER_HOST",
    ),
    (
        "no basic auth credentials",
        "run `docker login REGISTRY`, then the same command again",
    ),
    (
        "authentication required",
        "run `docker login REGISTRY`, then the same command again",
    ),
    (
        "unauthorized",
        "run `docker login REGISTRY`, then the same command again",
    ),
    (
        "toomanyrequests",
        "the registry's quota is used up; wait, then run the same command again",
    ),
    (
        "too many requests",
        "the registry's quota is used up; wait, then run the same command again",
    ),
    (
        "server gave http response to https client",
        "the registry speaks plain HTTP; list it under insecure-registries of the docker daemon",
    ),
    (
        "denied",
        "this login may not write there; check project and login, then run the same command again",
    ),
    (
        "connection refused",
        "the registry does not answer; check its address, then run the same command again",
    ),
    (
        "no such host",
        "the registry's name does not resolve; check it, then run the same command again",
    ),
    (
        "x509:",
        "the registry's certificate is not trusted; give it to the docker daemon (certs.d)",
    ),
    (
        "no space left on device",
        "the disk is full; `docker system df` shows what docker holds",
    ),
    (
        "received unexpected http status: 5",
        "the registry is in trouble; run the same command again to go on where it stopped",
    ),
];

/// Added when a program that should run in an empty image is not found there.
pub(crate) const DYNAMIC: &str = "\nhelp: the program is there; what is missing is a shared library \
    or its loader: in an image FROM scratch it has to be linked statically";

/// What to do, if `stderr` holds a failure that is known here.
pub(crate) fn help(stderr: &str) -> Option<&'static str> {
    let stderr = stderr.to_lowercase();
    let known = HELP.iter().find(|(words, _)| stderr.contains(words));
    known.map(|(_, help)| *help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registry_is_a_matter_of_login() {
        let start = "docker: Error response from daemon: OCI runtime create failed: container_linux.go:380: \
            starting container process caused: permission denied: unknown.";
        assert!(help(start).unwrap().contains("start a container"));
        let format = "OCI runtime create failed: exec /serve: exec format error: unknown";
        assert!(help(format).unwrap().contains("--platform"));
        let push = "denied: Permission \"artifactregistry.repositories.uploadArtifacts\" denied";
        assert!(help(push).unwrap().contains("check project and login"));
    }
}
