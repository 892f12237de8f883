//! `train`, and the subcommands beside its options.

use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches};
use model::without_empty_variables;

use crate::{Args, EngineOptions, TrialOptions, VerifyOptions};

/// The flag that asks what this program is.
const VERSION: &str = "version";

/// What is asked for.
#[derive(Debug)]
pub enum Command {
    /// `train`: train and publish.
    Train(Box<Args>),
    /// `train --version`: say what this program is, and what embeds.
    Version(EngineOptions),
    /// `train trial`: train in a task of Determined.
    Trial(Box<TrialOptions>),
    /// `train verify`: make a published model again and compare.
    Verify(Box<VerifyOptions>),
}

impl Command {
    /// The command line of this process. Ends the process when it is wrong, or asks
    /// for help.
    pub fn parse() -> Self {
        let matches = without_empty_variables(Self::described()).get_matches();
        Self::read(&matches).unwrap_or_else(|error| error.format(&mut Self::described()).exit())
    }

    /// Its description: the options of `train`, and beside them the subcommands.
    fn described() -> clap::Command {
        let version = Arg::new(VERSION)
            .short('V')
            .long(VERSION)
            .action(ArgAction::SetTrue)
            .help("Print the version and the engine that embeds");
        let unless_version = |arg: Arg| arg.required(false).required_unless_present(VERSION);
        Args::command()
            .disable_version_flag(true)
            .arg(version)
            .mut_arg("repo", unless_version)
            .mut_arg("model", unless_version)
            .subcommand(TrialOptions::command())
            .subcommand(VerifyOptions::command())
            .subcommand_negates_reqs(true)
            .args_conflicts_with_subcommands(true)
            .disable_help_subcommand(true)
    }

    fn read(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(match matches.subcommand() {
            Some(("verify", verify)) => {
                Self::Verify(Box::new(VerifyOptions::from_arg_matches(verify)?))
            }
            None if matches.get_flag(VERSION) => {
                Self::Version(EngineOptions::from_arg_matches(matches)?)
            }
            Some((_, trial)) => Self::Trial(Box::new(TrialOptions::from_arg_matches(trial)?)),
            None => Self::Train(Box::new(Args::from_arg_matches(matches)?)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Command::described().debug_assert();
    }

    #[test]
    fn a_trial_takes_the_same_options() {
        let read = |line: &[&str]| {
            let matches = Command::described().try_get_matches_from(line)?;
            Command::read(&matches)
        };
        let line = [
            "train", "trial", "--repo", "r", "--model", "m", "--data", "/pfs/x",
        ];
        let Command::Trial(trial) = read(&line).unwrap() else {
            panic!("no trial")
        };
        assert_eq!(trial.training.data_folder(), Path::new("/pfs/x"));
        let Command::Train(args) = read(&["train", "--repo", "r", "--model", "m"]).unwrap() else {
            panic!("a trial")
        };
        assert_eq!(args.training.data_folder(), Path::new("/pfs/data"));
        let verify = read(&["train", "verify", "out/model", "--data", "x"]).unwrap();
        assert!(matches!(verify, Command::Verify(_)));
        assert!(read(&["train", "trial"]).is_err());
        assert!(read(&["train"]).is_err());
    }
}
