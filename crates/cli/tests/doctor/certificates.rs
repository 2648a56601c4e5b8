//! Certificates of every bad kind.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A server's chain, its key, and the file of the root that one would have to trust.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Vec<u8>,
    pub(crate) pem: String,
    pub(crate) key_pem: String,
    pub(crate) root: String,
}

impl Leaf {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    /// The root in a file, for `--ca`.
    pub(crate) fn ca(&self) -> File {
        File::new("root.pem", &self.root)
    }

    /// The first certificate alone.
    pub(crate) fn without_intermediate(mut self) -> Self {
        self.chain.truncate(1);
        self
    }
}

/// A root, and an intermediate below it.
pub(crate) struct Authority {
    root: String,
    intermediate_der: CertificateDer<'static>,
    intermediate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What may be wrong with a certificate.
#[derive(Default)]
pub(crate) struct Wrong {
    pub(crate) years: Option<(i32, i32)>,
    /// Where the issuer's certificate is.
    pub(crate) issuer_url: Option<String>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("Bed Root", "Bed Intermediate")
    }

    pub(crate) fn named(root_name: &str, name: &str) -> Self {
        Self::made(root_name, name, None)
    }

    /// Its intermediate certificate is good in these years.
    pub(crate) fn of_years(from: i32, to: i32) -> Self {
        Self::made("Bed Root", "Bed Intermediate", Some((from, to)))
    }

    fn made(root_name: &str, name: &str, years: Option<(i32, i32)>) -> Self {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages =
                vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
            params
        };
        let root_key = KeyPair::generate().unwrap();
        let root = authority(root_name).self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(authority(root_name), root_key);
        let key = KeyPair::generate().unwrap();
        let mut params = authority(name);
        if let Some((from, to)) = years {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        }
        let intermediate = params.signed_by(&key, &root_issuer).unwrap();
        Self {
            root: root.pem(),
            intermediate_der: intermediate.der().clone(),
            intermediate_pem: intermediate.pem(),
            issuer: Issuer::new(authority(name), key),
        }
    }

    pub(crate) fn intermediate(&self) -> Vec<u8> {
        self.intermediate_der.to_vec()
    }

    pub(crate) fn server(&self, names: &[&str]) -> Leaf {
        self.wrong(names, &Wrong::default())
    }

    pub(crate) fn wrong(&self, names: &[&str], wrong: &Wrong) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let params = params(names, wrong);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Leaf {
            chain: vec![leaf.der().clone(), self.intermediate_der.clone()],
            key: key.serialize_der(),
            pem: format!("{}{}", leaf.pem(), self.intermediate_pem),
            key_pem: key.serialize_pem(),
            root: self.root.clone(),
        }
    }
}

fn params(names: &[&str], wrong: &Wrong) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, names[0]);
    for name in names {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        });
    }
    if let Some((from, to)) = wrong.years {
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
    }
    if let Some(url) = &wrong.issuer_url {
        params.custom_extensions.push(authority_information(url));
    }
    params
}

/// RFC 5280 §4.2.2.1: one access description, caIssuers with a URI.
fn authority_information(url: &str) -> CustomExtension {
    let wrap = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 128);
        [&[tag, length], content].concat()
    };
    let method = wrap(6, &[0x2B, 6, 1, 5, 5, 7, 0x30, 2]);
    let location = wrap(0x86, url.as_bytes());
    let list = wrap(0x30, &wrap(0x30, &[method, location].concat()));
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], list)
}

/// Signed by itself.
pub(crate) fn self_signed(names: &[&str]) -> Leaf {
    let key = KeyPair::generate().unwrap();
    let certificate = params(names, &Wrong::default()).self_signed(&key).unwrap();
    Leaf {
        chain: vec![certificate.der().clone()],
        key: key.serialize_der(),
        pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        root: certificate.pem(),
    }
}

/// Signed by itself, and an authority at the same time: what `openssl req -x509` makes.
pub(crate) fn self_signed_authority(names: &[&str]) -> Leaf {
    let key = KeyPair::generate().unwrap();
    let mut params = params(names, &Wrong::default());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    Leaf {
        chain: vec![certificate.der().clone()],
        key: key.serialize_der(),
        pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        root: certificate.pem(),
    }
}

/// A file that is gone afterwards.
pub(crate) struct File(pub(crate) PathBuf);

impl File {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let at = NEXT.fetch_add(1, Ordering::SeqCst);
        let path =
            std::env::temp_dir().join(format!("madang-bed-{}-{at}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}
