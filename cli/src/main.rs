//! The `slipway` command: the control plane, the agent and the client in one binary. Argument parsing and terminal output
//! live here and nothing else does.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod archive;
mod broken_pipe;
mod client;
mod commands;
mod credentials;
mod exit;
mod logging;
mod output;
mod shutdown;
mod subscription;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Your own platform: deploy apps to your own servers.
///
/// Start with `slipway up` on a machine with Docker, then `slipway deploy` in a folder with code.
#[derive(Parser)]
#[command(name = "slipway", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Clone)]
pub struct Global {
    /// Print JSON in place of text: one document, or one object per line where output streams.
    #[arg(long, global = true)]
    json: bool,
    /// Address of the control plane [default: that of `slipway login`].
    #[arg(long, global = true, env = "SLIPWAY_URL", hide_env_values = true)]
    url: Option<url::Url>,
    /// API token [default: that of `slipway login`].
    #[arg(long, global = true, env = "SLIPWAY_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything on this machine: control plane, agent and ingress.
    Up(commands::up::Up),
    /// Run the control plane alone.
    Server(commands::server::Server),
    /// Run or enroll the agent of a worker node.
    #[command(subcommand)]
    Agent(commands::agent::Agent),
    /// Remember a control plane's address and an API token.
    Login(commands::login::Login),
    /// List applications, or create, show and delete one.
    Apps(commands::apps::Apps),
    /// Upload a folder and deploy it; shows each step and ends with the URL.
    Deploy(commands::deploy::Deploy),
    /// Show an application's output.
    Logs(commands::logs::Logs),
    /// Show an application's instances.
    Ps(commands::ps::Ps),
    /// Change the number of instances.
    Scale(commands::scale::Scale),
    /// Restart, stop or start an application.
    #[command(flatten)]
    Lifecycle(commands::lifecycle::Lifecycle),
    /// Return to an earlier deployment.
    Rollback(commands::rollback::Rollback),
    /// List, set and unset environment variables.
    #[command(subcommand)]
    Env(commands::env::Env),
    /// Explain how a folder would be built, without building it or talking to a server.
    Plan(commands::plan::Plan),
    /// Write a buildpack for a language of your own, and test it.
    #[command(subcommand)]
    Buildpack(commands::buildpack::Buildpack),
    /// List plugins, install, configure, enable, disable, upgrade and remove them.
    #[command(subcommand)]
    Plugin(commands::plugin::Plugin),
    /// List worker nodes, invite one.
    #[command(subcommand)]
    Node(commands::node::Node),
    /// Base images for machines without a registry.
    #[command(subcommand)]
    Images(commands::images::Images),
    /// Be the process of one plugin; the control plane starts it.
    #[command(hide = true)]
    PluginHost,
    /// Compile a component ahead of time; agents and the control plane do so by themselves.
    #[command(hide = true)]
    Precompile(commands::precompile::Precompile),
    /// Print the API's schema.
    #[command(hide = true)]
    Schema,
}

fn main() -> ExitCode {
    broken_pipe::ends_quietly();
    let cli = Cli::parse();
    if matches!(cli.command, Command::PluginHost) {
        // Before this process has any other thread.
        return slipway_plugin_host::serve();
    }
    // One TLS provider for the whole process, before anything opens a connection. It can only be installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&error.into(), cli.global.json),
    };
    let result = runtime.block_on(run(cli.global.clone(), cli.command));
    // Tasks that wait for the terminal or a socket must not hold the exit up.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => exit::report(&error, cli.global.json),
    }
}

async fn run(global: Global, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(command) => command.run().await,
        Command::Server(command) => command.run().await,
        Command::Agent(command) => command.run().await,
        Command::Login(command) => command.run(&global).await,
        Command::Apps(command) => command.run(&global).await,
        Command::Deploy(command) => command.run(&global).await,
        Command::Logs(command) => command.run(&global).await,
        Command::Ps(command) => command.run(&global).await,
        Command::Scale(command) => command.run(&global).await,
        Command::Lifecycle(command) => command.run(&global).await,
        Command::Rollback(command) => command.run(&global).await,
        Command::Env(command) => command.run(&global).await,
        Command::Plan(command) => command.run(&global).await,
        Command::Buildpack(command) => command.run(&global).await,
        Command::Plugin(command) => command.run(&global).await,
        Command::Node(command) => command.run(&global).await,
        Command::Images(command) => command.run().await,
        Command::Precompile(command) => command.run(),
        Command::PluginHost => Ok(slipway_plugin_host::serve()),
        Command::Schema => {
            print!("{}", slipway_core::graphql::sdl());
            Ok(ExitCode::SUCCESS)
        }
    }
}
