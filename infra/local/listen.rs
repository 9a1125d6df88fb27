//! Sockets and the data folder of the local cloud: for this machine, and this user, alone.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
};

use axum::{Router, middleware::from_fn_with_state};
use tokio::net::TcpListener;

use crate::{
    Result,
    guard::{self, Guard},
};

/// The host on which everything listens, and its name in URLs.
pub(crate) struct Host<'a> {
    pub(crate) name: &'a str,
    pub(crate) port: u16,
}

impl Host<'_> {
    /// A port, so far from the first, and its URL. Where the host is no address but a name, it is one of loopback.
    pub(crate) async fn bind(&self, offset: u16) -> Result<(TcpListener, String)> {
        let Self { name, port } = *self;
        let port = if port == 0 { 0 } else { port + offset };
        let address = name.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let listener = TcpListener::bind((address, port)).await;
        let listener = listener.map_err(|error| {
            let what = if address.is_loopback() {
                "choose others with --port N, or free ones with --port 0"
            } else {
                "is Docker running, whose address this should be? --host names another"
            };
            format!("port {port} of {address} cannot be used ({error}): {what}")
        })?;
        let url = format!("http://{name}:{}", listener.local_addr()?.port());
        Ok((listener, url))
    }
}

/// Makes the data folder, for this user alone as everything that will be in it. A folder that others can look into is
/// left as it is, and refused: its owner may want that, and what is in it may be known already.
#[cfg(unix)]
pub(crate) fn make_private(folder: &Path) -> Result<()> {
    use rustix::{fs::Mode, process::umask};
    use std::os::unix::fs::PermissionsExt;
    umask(Mode::RWXG | Mode::RWXO);
    fs::create_dir_all(folder)?;
    if fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
        let folder = folder.display();
        return Err(
            format!("other users of this machine may open {folder}: `chmod -R go= {folder}` keeps them out").into()
        );
    }
    Ok(())
}

/// Makes the data folder. Here the system decides who may open it.
#[cfg(not(unix))]
pub(crate) fn make_private(folder: &Path) -> Result<()> {
    Ok(fs::create_dir_all(folder)?)
}

pub(crate) fn serve(listener: TcpListener, router: Router, guard: &Arc<Guard>) {
    let router = router.layer(from_fn_with_state(guard.clone(), guard::check));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "a server of the local cloud failed");
        }
    });
}
