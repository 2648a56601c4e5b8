use std::{fs, path::PathBuf, sync::Arc};

use super::{TlsConfig, TlsError, self_signed};

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("madang-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn what_is_wrong_with_files_is_told() {
    let folder = Folder::new("wrong");
    let made = self_signed::make([]).unwrap();
    let other = self_signed::make([]).unwrap();
    let certificates = folder.write("cert.pem", &made.certificates);
    let key = folder.write("key.pem", &made.key);
    let foreign = folder.write("foreign.pem", &other.key);
    let empty = folder.write("empty.pem", "");
    let torn =
        folder.write("torn.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----");
    assert!(TlsConfig::from_files(&certificates, &key).is_ok());
    let error = |certificates: &PathBuf, key: &PathBuf| {
        TlsConfig::from_files(certificates, key).unwrap_err()
    };
    assert!(matches!(error(&certificates, &foreign), TlsError::Mismatch { .. }));
    assert!(matches!(error(&key, &key), TlsError::NoCertificate(_)));
    assert!(matches!(error(&empty, &key), TlsError::NoCertificate(_)));
    assert!(matches!(error(&certificates, &certificates), TlsError::NoKey(_)));
    assert!(matches!(error(&torn, &key), TlsError::Malformed { .. }));
    let missing = folder.0.join("missing.pem");
    assert!(error(&missing, &key).to_string().contains("missing.pem"));
}

#[test]
fn new_files_are_taken_and_bad_ones_leave_the_old_in_use() {
    let folder = Folder::new("reload");
    let (first, second) = (self_signed::make([]).unwrap(), self_signed::make([]).unwrap());
    let certificates = folder.write("cert.pem", &first.certificates);
    let key = folder.write("key.pem", &first.key);
    let tls = TlsConfig::from_files(&certificates, &key).unwrap();
    let before = tls.server_config();
    assert!(!tls.reload_if_changed().unwrap());
    folder.write("key.pem", &format!("{}\n", second.key));
    assert!(matches!(tls.reload_if_changed(), Err(TlsError::Mismatch { .. })));
    assert!(Arc::ptr_eq(&before, &tls.server_config()));
    // What was found bad is not read again and again.
    assert!(!tls.reload_if_changed().unwrap());
    folder.write("cert.pem", &format!("{}\n", second.certificates));
    assert!(tls.clone().reload_if_changed().unwrap());
    assert!(!Arc::ptr_eq(&before, &tls.server_config()));
}

#[test]
fn a_self_signed_certificate_has_a_fingerprint() {
    let tls = TlsConfig::self_signed(["192.0.2.7".parse().unwrap()]).unwrap();
    assert_eq!(tls.fingerprint().unwrap().split(':').count(), 32);
    assert!(tls.client_certificates("/nowhere.pem", true).is_err());
}
