//! Whose signature counts: OpenPGP keys under redpak's own policy.
//!
//! librpm up to 4.18 takes expired and revoked keys. Here a signature counts when all of this holds:
//! - it is of type binary, with SHA-256 or better, and has not expired;
//! - its key is RSA of at least 2048 bits, ECDSA, EdDSA or Ed448;
//! - the certificate has a valid self-signature, is not expired and carries no valid revocation;
//! - a subkey is bound with the signing flag and signed back, is not expired and not revoked.
//!
//! Expiry is judged at the present time, or at the time of the signature when the clock is behind that: a board whose
//! clock starts in 1970 can install, and takes as expired what had expired when the signature was made.

use std::fmt;
use std::time::SystemTime;

use pgp::composed::{Deserializable, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails, PublicParams, Tag, Timestamp, VerifyingKey};

/// Certificates that a repository's packages may be signed with.
#[derive(Default)]
pub(crate) struct Certificates(Vec<SignedPublicKey>);

/// Why no certificate vouches for a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Untrusted {
    /// The bytes are not a signature that this policy knows.
    Unusable(String),
    /// None of the certificates has the key.
    Unknown(String),
    /// The key is there, and may not sign (any more).
    Invalid(String),
    /// The data is not what was signed.
    Mismatch(String),
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(why) => write!(f, "its signature cannot be used: {why}"),
            Self::Unknown(key) => {
                write!(f, "it is signed by key {key}, which is not one of the repository's")
            }
            Self::Invalid(why) => write!(f, "its signing key may not be used: {why}"),
            Self::Mismatch(key) => write!(f, "its content is not what key {key} signed"),
        }
    }
}

impl std::error::Error for Untrusted {}

impl Certificates {
    /// Reads certificates, ASCII armored (several blocks may follow each other) or binary.
    pub(crate) fn parse(material: &[u8]) -> Result<Self, String> {
        const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
        let mut found = Vec::new();
        match std::str::from_utf8(material) {
            Ok(text) if text.contains(BEGIN) => {
                for (at, _) in text.match_indices(BEGIN) {
                    let (keys, _) =
                        SignedPublicKey::from_string_many(&text[at..]).map_err(|e| e.to_string())?;
                    for key in keys {
                        found.push(key.map_err(|e| e.to_string())?);
                    }
                }
            }
            _ => {
                for key in SignedPublicKey::from_bytes_many(material).map_err(|e| e.to_string())? {
                    found.push(key.map_err(|e| e.to_string())?);
                }
            }
        }
        if found.is_empty() { Err("no OpenPGP certificate in it".into()) } else { Ok(Self(found)) }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks a detached binary signature over `data`. Returns the fingerprint of the key that made it.
    pub(crate) fn verify(&self, signature: &[u8], data: &[u8], now: SystemTime) -> Result<String, Untrusted> {
        let unusable = |why: &str| Untrusted::Unusable(why.to_owned());
        let signature =
            DetachedSignature::from_bytes(signature).map_err(|e| unusable(&e.to_string()))?.signature;
        if signature.typ() != Some(SignatureType::Binary) {
            return Err(unusable("it is not a signature over a file"));
        }
        if !strong(signature.hash_alg()) {
            return Err(unusable(&format!("its digest is {:?}", signature.hash_alg())));
        }
        let created = signature.created().ok_or_else(|| unusable("it has no date"))?.as_secs();
        let now = seconds(now).max(created);
        if expired(created, signature.signature_expiration_time().map(|time| time.as_secs()), now) {
            return Err(unusable("it has expired"));
        }
        let mut verdict = Untrusted::Unknown(issuer(&signature));
        for certificate in &self.0 {
            if matches(&signature, &certificate.primary_key) {
                match check(certificate, None, &signature, data, now) {
                    Ok(fingerprint) => return Ok(fingerprint),
                    Err(worse) => verdict = worse,
                }
            }
            for subkey in certificate.public_subkeys.iter().filter(|subkey| matches(&signature, &subkey.key))
            {
                match check(certificate, Some(subkey), &signature, data, now) {
                    Ok(fingerprint) => return Ok(fingerprint),
                    Err(worse) => verdict = worse,
                }
            }
        }
        Err(verdict)
    }
}

fn check(
    certificate: &SignedPublicKey,
    subkey: Option<&SignedPublicSubKey>,
    signature: &Signature,
    data: &[u8],
    now: u32,
) -> Result<String, Untrusted> {
    let primary = primary_may_sign(certificate, subkey.is_none(), now);
    let name = certificate.primary_key.fingerprint().to_string();
    primary.map_err(|why| Untrusted::Invalid(format!("{name} {why}")))?;
    let Some(subkey) = subkey else {
        strong_key(&certificate.primary_key).map_err(|why| Untrusted::Invalid(format!("{name} {why}")))?;
        signature.verify(&certificate.primary_key, data).map_err(|_| Untrusted::Mismatch(name.clone()))?;
        return Ok(name);
    };
    let sub = subkey.key.fingerprint().to_string();
    strong_key(&subkey.key)
        .and_then(|()| subkey_may_sign(certificate, subkey, now))
        .map_err(|why| Untrusted::Invalid(format!("subkey {sub} of {name} {why}")))?;
    signature.verify(&subkey.key, data).map_err(|_| Untrusted::Mismatch(sub.clone()))?;
    Ok(sub)
}

/// Whether a certificate is in force, and (for its primary key) may sign.
fn primary_may_sign(certificate: &SignedPublicKey, signs: bool, now: u32) -> Result<(), String> {
    let key = &certificate.primary_key;
    let revoked = certificate.details.revocation_signatures.iter().any(|signature| {
        signature.typ() == Some(SignatureType::KeyRevocation) && signature.verify_key(key).is_ok()
    });
    if revoked {
        return Err("is revoked".into());
    }
    let direct =
        certificate.details.direct_signatures.iter().filter(|signature| signature.verify_key(key).is_ok());
    let users = certificate.details.users.iter().flat_map(|user| {
        let valid = |signature: &&Signature| {
            signature.typ() != Some(SignatureType::CertRevocation)
                && signature.verify_certification(key, Tag::UserId, &user.id).is_ok()
        };
        user.signatures.iter().filter(valid)
    });
    let Some(newest) = newest(direct.chain(users), now) else {
        return Err("has no valid signature of its own".into());
    };
    if expired(key.created_at().as_secs(), newest.key_expiration_time().map(|time| time.as_secs()), now) {
        return Err("has expired".into());
    }
    if signs && has_flags(newest) && !newest.key_flags().sign() {
        return Err("is not for signing".into());
    }
    Ok(())
}

fn subkey_may_sign(
    certificate: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
    now: u32,
) -> Result<(), String> {
    let primary = &certificate.primary_key;
    let valid = || subkey.signatures.iter().filter(|s| s.verify_subkey_binding(primary, &subkey.key).is_ok());
    if valid().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Err("is revoked".into());
    }
    let bindings = valid().filter(|signature| signature.typ() == Some(SignatureType::SubkeyBinding));
    let Some(binding) = newest(bindings, now) else {
        return Err("is not bound to it".into());
    };
    if expired(
        subkey.key.created_at().as_secs(),
        binding.key_expiration_time().map(|time| time.as_secs()),
        now,
    ) {
        return Err("has expired".into());
    }
    if !binding.key_flags().sign() {
        return Err("is not for signing".into());
    }
    match binding.embedded_signature() {
        Some(back) if back.verify_primary_key_binding(&subkey.key, primary).is_ok() => Ok(()),
        _ => Err("did not sign back".into()),
    }
}

/// The newest signature that is in force.
fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>, now: u32) -> Option<&'a Signature> {
    signatures
        .filter(|signature| {
            let created = signature.created().map_or(0, Timestamp::as_secs);
            !expired(created, signature.signature_expiration_time().map(|time| time.as_secs()), now)
        })
        .max_by_key(|signature| signature.created().map_or(0, Timestamp::as_secs))
}

/// A validity of 0 seconds, or none, does not end (RFC 9580, 5.2.3.13 and 5.2.3.18).
fn expired(created: u32, validity: Option<u32>, now: u32) -> bool {
    validity.is_some_and(|seconds| seconds != 0 && u64::from(created) + u64::from(seconds) <= u64::from(now))
}

fn has_flags(signature: &Signature) -> bool {
    let mut packets = signature.config().into_iter().flat_map(|config| config.hashed_subpackets());
    packets.any(|packet| matches!(packet.data, SubpacketData::KeyFlags(_)))
}

fn matches(signature: &Signature, key: &impl KeyDetails) -> bool {
    signature.issuer_fingerprint().into_iter().any(|fingerprint| *fingerprint == key.fingerprint())
        || signature.issuer_key_id().into_iter().any(|id| *id == key.legacy_key_id())
}

fn issuer(signature: &Signature) -> String {
    let fingerprint = signature.issuer_fingerprint().first().map(ToString::to_string);
    let id = signature.issuer_key_id().first().map(ToString::to_string);
    fingerprint.or(id).unwrap_or_else(|| "without a name".into())
}

fn strong(hash: Option<HashAlgorithm>) -> bool {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    matches!(hash, Some(Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512))
}

fn strong_key(key: &impl VerifyingKey) -> Result<(), String> {
    match key.public_params() {
        // A multiprecision integer begins with its length in bits (RFC 9580, 3.2); the modulus is the first.
        PublicParams::RSA(rsa) => {
            match rsa.to_bytes().ok().and_then(|bytes| Some([*bytes.first()?, *bytes.get(1)?])) {
                Some(bits) if u16::from_be_bytes(bits) >= 2048 => Ok(()),
                _ => Err("is an RSA key of less than 2048 bits".into()),
            }
        }
        PublicParams::ECDSA(_)
        | PublicParams::EdDSALegacy(_)
        | PublicParams::Ed25519(_)
        | PublicParams::Ed448(_) => Ok(()),
        _ => Err(format!("uses {:?}, which is not accepted", key.algorithm())),
    }
}

/// Seconds since 1970, as OpenPGP counts them: until 2106.
fn seconds(time: SystemTime) -> u32 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}
