//! nginx, from Debian, serving plain files.

use std::path::Path;
use std::process::Command;

use super::{Kind, Peer};
use crate::workspace::{Scratch, write};
use crate::{Result, process, setup};

const PORT: u16 = 21_580;

pub(super) fn start(scratch: Scratch, data: &Path) -> Result<Peer> {
    if let Some((need, why)) = setup::ensure(&[&setup::NGINX]).into_iter().next() {
        return Err(format!("{need}: {why}"));
    }
    let dir = scratch.path();
    // As root it would otherwise turn into a user who may not read the folder.
    let user = if setup::is_root() { "user root;" } else { "" };
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/{name};\n", dir.display()))
        .concat();
    let config = format!(
        "daemon off; {user} worker_processes auto; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000;
{folders}server {{ listen 127.0.0.1:{PORT}; root {data}; }}
}}\n",
        dir = dir.display(),
        data = data.display()
    );
    let path = dir.join("nginx.conf");
    write(&path, config)?;
    let mut command = Command::new(process::which("nginx").unwrap_or("/usr/sbin/nginx".into()));
    command.arg("-c").arg(&path).arg("-e").arg(dir.join("error.log"));
    Peer::launch(Kind::Nginx, scratch, command, PORT)
}
