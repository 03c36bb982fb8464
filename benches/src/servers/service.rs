//! The service as its own binary starts it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use service::config::{Cli, Command};
use service::shutdown::Signals;
use service::startup::Application;
use service::store::Durability;
use service::telemetry;

pub(super) fn run(addr: SocketAddr, data_dir: PathBuf, durability: Durability) {
    let addr = addr.to_string();
    let data_dir = data_dir.to_str().expect("paths here are text");
    let arguments = ["tidemark", "serve", "--addr", &addr, "--data-dir", data_dir];
    let Command::Serve(mut config) = Cli::parse_from(arguments).command else {
        unreachable!("the command is serve");
    };
    config.durability = durability;
    let logs = telemetry::logs::start(&config.telemetry);
    config.telemetry.log_control = Some(logs);
    actix_web::rt::System::new().block_on(async {
        let signals = Signals::listen().expect("signals can be received");
        let application = Application::build(&config).expect("the server starts");
        let served = application.run_until_stopped(signals).await;
        served.expect("the server serves");
    });
}
