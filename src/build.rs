//! Stops a build that would not be deterministic, with the cure.
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a build script talks to cargo by its environment and its output"
)]

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    println!("cargo:rerun-if-env-changed=CARGO_CFG_MADSIM");
    if std::env::var_os("CARGO_CFG_MADSIM").is_none() {
        eprintln!(
            "kafka-sim builds only under `--cfg madsim`: build from inside its folder with \
             RUSTFLAGS unset (its .cargo/config.toml sets the flag), or run \
             `RUSTFLAGS=\"--cfg madsim\" cargo build`."
        );
        std::process::exit(1);
    }
}
