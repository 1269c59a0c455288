//! clap, colour, exit codes; one file per verb.
