//! TLS in front of plain ports, as AWS has it: what a handshake costs a function is part of what it costs.

use std::{path::Path, sync::Arc};

use okd_local::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

/// The certificates of the bench: an authority of its own and one server.
pub(crate) struct Certificates {
    /// The authority, in PEM.
    pub(crate) authority: String,
    acceptor: TlsAcceptor,
}

impl Certificates {
    /// New ones, for loopback.
    pub(crate) fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        // Of another name than the server, which would be taken for self-signed.
        params.distinguished_name.push(DnType::CommonName, "the bench's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let server = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        let server = server.signed_by(&key, &authority)?;
        let chain = vec![CertificateDer::from(server)];
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = config.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority: authority.pem(), acceptor: Arc::new(config).into() })
    }

    /// Opens a port that passes what it receives on to the plain one at `url`; gives the https URL.
    pub(crate) async fn front(&self, url: &str) -> Result<String> {
        let plain = url.strip_prefix("http://").ok_or("only http can be put behind TLS")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass_on(acceptor.clone(), stream, plain.clone()));
            }
        });
        Ok(format!("https://{address}"))
    }
}

/// Passes one connection on until either side ends it. Whoever called sees what went wrong.
async fn pass_on(acceptor: TlsAcceptor, stream: TcpStream, plain: String) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut outside = acceptor.accept(stream).await?;
    let mut inside = TcpStream::connect(plain).await?;
    inside.set_nodelay(true)?;
    copy_bidirectional(&mut outside, &mut inside).await?;
    Ok(())
}

/// Writes the roots that a function of ours reads (Amazon's five and the bench's own), and those that the others read
/// (the system's and the bench's own).
pub(crate) fn write_roots(folder: &Path, authority: &str) -> Result<()> {
    let amazon = include_str!("../../../functions/core/src/stores/amazon_roots.pem");
    let system = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt")?;
    std::fs::write(folder.join("authority.pem"), authority)?;
    std::fs::write(folder.join("amazon.pem"), format!("{amazon}{authority}"))?;
    std::fs::write(folder.join("system.pem"), format!("{system}{authority}"))?;
    Ok(())
}
