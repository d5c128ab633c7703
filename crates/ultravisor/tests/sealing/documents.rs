//! Host key documents: what is accepted, and every refusal.

use countersign_ultravisor::document::{
    Certificate, DocumentFault, HostKeyDocument, Issuers, IssuersFault, Level, NoCertificate, NoList,
    RevocationList,
};

use crate::support::{DAY, Service, now};

#[test]
fn a_document_is_taken_with_its_whole_chain() {
    let service = Service::new();
    service.does(&["document", "z1"]);
    let host = service.issuers(now()).unwrap().check(&service.document("z1")).unwrap();
    assert_eq!(host.hash(), service.machine("z1").hash());
    assert!((now() + 29 * DAY..=now() + 30 * DAY).contains(&host.not_after()), "{}", host.not_after());
}

#[test]
fn dates_are_held_against_the_callers_clock() {
    let service = Service::new();
    service.does(&["document", "z1"]);
    let document = service.document("z1");
    let at = |time| service.issuers(time).map(|issuers| issuers.check(&document));
    let refused = |time| at(time).unwrap().unwrap_err();
    assert!(at(now() + 29 * DAY).unwrap().is_ok());
    assert_eq!(refused(now() + 31 * DAY), DocumentFault::Expired);
    // Lists end after a year, certificates after ten, and none has begun before it was made.
    assert_eq!(at(now() + 366 * DAY).unwrap_err(), IssuersFault::NoList(Level::Signing));
    for time in [now() + 3651 * DAY, now() - DAY] {
        assert!(matches!(at(time).unwrap_err(), IssuersFault::Chain(_)), "{time}");
    }
    service.does(&["document", "later", "-startdate", "20900101000000Z", "-enddate", "20910101000000Z"]);
    let later = service.issuers(now()).unwrap().check(&service.document("later")).unwrap_err();
    assert_eq!(later, DocumentFault::NotBegun);
}

#[test]
fn documents_of_others_and_of_another_form_are_refused() {
    let (service, foreign) = (Service::new(), Service::new());
    foreign.does(&["document", "z1"]);
    let issuers = service.issuers(now()).unwrap();
    let refused = |service: &Service, name: &str| issuers.check(&service.document(name)).unwrap_err();
    // The same names, another key.
    assert_eq!(refused(&foreign, "z1"), DocumentFault::Foreign);
    service.does(&["document-of", "P-384", "small"]);
    assert_eq!(refused(&service, "small"), DocumentFault::NotAHostKey);
    service.does(&["document", "weak", "-md", "sha1"]);
    assert_eq!(refused(&service, "weak"), DocumentFault::Weak);
    service.does(&["document", "other", "-extensions", "other-issuer"]);
    assert_eq!(refused(&service, "other"), DocumentFault::OtherIssuer);
}

#[test]
fn one_altered_bit_of_a_document_is_refused() {
    let service = Service::new();
    service.does(&["document", "z1"]);
    let issuers = service.issuers(now()).unwrap();
    let pem = service.file("z1.crt");
    let der = openssl::x509::X509::from_pem(&pem).unwrap().to_der().unwrap();
    assert!(issuers.check(&HostKeyDocument::parse(&der).unwrap()).is_ok(), "DER is taken as well");
    let mut taken = Vec::new();
    for place in 0..der.len() {
        let mut altered = der.clone();
        altered[place] ^= 1;
        if HostKeyDocument::parse(&altered).is_ok_and(|document| issuers.check(&document).is_ok()) {
            taken.push(place);
        }
    }
    assert_eq!(taken, [0; 0], "places whose alteration nobody notices");
}

#[test]
fn a_revoked_document_and_a_revoked_chain_are_refused() {
    let service = Service::new();
    service.does(&["document", "z1"]);
    service.does(&["document", "z2"]);
    service.does(&["revoke", "signing", "z2"]);
    let issuers = service.issuers(now()).unwrap();
    assert!(issuers.check(&service.document("z1")).is_ok());
    assert_eq!(issuers.check(&service.document("z2")).unwrap_err(), DocumentFault::Revoked);
    service.does(&["revoke", "intermediate", "signing"]);
    assert_eq!(service.issuers(now()).unwrap_err(), IssuersFault::Revoked(Level::Signing));
    service.does(&["revoke", "root", "intermediate"]);
    // Both are: the nearer one is told.
    assert_eq!(service.issuers(now()).unwrap_err(), IssuersFault::Revoked(Level::Signing));
}

#[test]
fn a_revoked_intermediate_certificate_is_refused() {
    let service = Service::new();
    service.does(&["revoke", "root", "intermediate"]);
    assert_eq!(service.issuers(now()).unwrap_err(), IssuersFault::Revoked(Level::Intermediate));
}

#[test]
fn every_list_is_needed_and_must_be_whole() {
    let service = Service::new();
    service.does(&["document", "z1"]);
    let without = |lists: &[&str]| service.issuers_with(lists, now());
    assert_eq!(without(&["root", "signing"]).unwrap_err(), IssuersFault::NoList(Level::Signing));
    assert_eq!(without(&["intermediate", "signing"]).unwrap_err(), IssuersFault::NoList(Level::Intermediate));
    let issuers = without(&["root", "intermediate"]).unwrap();
    assert_eq!(issuers.check(&service.document("z1")).unwrap_err(), DocumentFault::NoList);
    service.does(&["list", "signing", "-crlexts", "delta"]);
    assert_eq!(service.issuers(now()).unwrap_err(), IssuersFault::DeltaList);
    // A list that another authority of the same name made.
    let foreign = Service::new();
    let lists =
        service.lists(&["root", "intermediate"]).into_iter().chain(foreign.lists(&["signing"])).collect();
    let between = [service.certificates("signing.crt"), service.certificates("intermediate.crt")].concat();
    let issuers = Issuers::new(&service.certificates("root.crt"), &between, lists, now()).unwrap();
    assert_eq!(issuers.check(&service.document("z1")).unwrap_err(), DocumentFault::NoList);
}

#[test]
fn there_is_one_signing_service_under_the_given_root() {
    let (service, foreign) = (Service::new(), Service::new());
    let lists = || service.lists(&["root", "intermediate", "signing"]);
    let [root, intermediate, signing] =
        ["root.crt", "intermediate.crt", "signing.crt"].map(|name| service.certificates(name));
    let new = |roots: &[Certificate], between: &[Certificate]| {
        Issuers::new(roots, between, lists(), now()).unwrap_err()
    };
    assert_eq!(new(&root, &intermediate), IssuersFault::NoSigningService);
    let both = [signing.clone(), foreign.certificates("signing.crt"), intermediate.clone()].concat();
    assert_eq!(new(&root, &both), IssuersFault::SeveralSigningServices(2));
    assert!(matches!(new(&root, &signing), IssuersFault::Chain(_)), "no intermediate");
    let whole = [signing.clone(), intermediate].concat();
    assert!(matches!(new(&foreign.certificates("root.crt"), &whole), IssuersFault::Chain(_)), "another root");
    assert!(matches!(new(&[], &whole), IssuersFault::Chain(_)), "no root");
    // What is handed in as an anchor does not vouch for itself.
    assert!(matches!(new(&signing, &whole), IssuersFault::Chain(_) | IssuersFault::TooShort));
}

#[test]
fn files_of_another_kind_are_refused() {
    let service = Service::new();
    let (key, certificate, list) =
        (service.file("root.key"), service.file("root.crt"), service.file("root.crl"));
    for bytes in [&key, &list, &b"text".to_vec(), &Vec::new(), &[certificate.clone(), key.clone()].concat()] {
        assert_eq!(Certificate::parse_all(bytes).unwrap_err(), NoCertificate);
        assert_eq!(HostKeyDocument::parse(bytes).unwrap_err(), NoCertificate);
    }
    let two = [certificate.clone(), certificate.clone()].concat();
    assert_eq!(HostKeyDocument::parse(&two).unwrap_err(), NoCertificate);
    assert_eq!(Certificate::parse_all(&two).unwrap().len(), 2);
    for bytes in [key, certificate, Vec::new()] {
        assert_eq!(RevocationList::parse(&bytes).unwrap_err(), NoList);
    }
}
