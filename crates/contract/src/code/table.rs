//! The table of message codes, sorted by code: data, nothing else. See the parent module for the ranges.
//!
//! Each entry: variant, code, name, severity, sentence, cause, remedy. Codes and names below the free ranges
//! are HPCR's interface; all wording is ours.

use super::Severity;

codes! {
    MissingPemBlock "HPL01005E" MISSING_PEM_BLOCK Error
        "a certificate or key of the log server is neither PEM nor base64 of PEM"
        cause "the field does not hold a PEM block, directly or after base64 decoding"
        remedy "put the whole PEM text, BEGIN and END lines included, into the field, or its base64 form";
    UnknownPrivateKeyType "HPL01006E" UNKNOWN_PRIVATE_KEY_TYPE Error
        "the private key for the log server is of an unknown kind"
        cause "the PEM block of the key is not a private key that OpenSSL reads"
        remedy "convert the key to unencrypted PKCS#8 with openssl pkcs8 -topk8 -nocrypt";
    MissingClientCertificate "HPL01008E" MISSING_CLIENT_CERTIFICATE Error
        "the private key for the log server has no certificate"
        cause "the contract gives key without cert under env.logging.syslog"
        remedy "add the client certificate as cert, or remove key";
    MissingPrivateKey "HPL01009E" MISSING_PRIVATE_KEY Error
        "the client certificate for the log server has no private key"
        cause "the contract gives cert without key under env.logging.syslog"
        remedy "add the private key as key, or remove cert";
    LoggingSetUp "HPL01010I" LOGGING_SETUP_SUCCESSFUL Info
        "logging is set up and the log server accepted the first record"
        cause "the log server named in the contract answered over TLS, and took the guest for who it is"
        remedy "nothing to do";
    LogClientUnusable "HPL01011E" INVALID_SYSLOG_INGESTION_CONFIG Error
        "the guest cannot use its own files for the log server"
        cause "OpenSSL does not load the client certificate with its key, or the key is too weak for it"
        remedy "try certificate and key of logging.syslog with openssl s_client; give RSA keys of 2048 bits or more";
    ClientPairMismatch "HPL01100E" LOG_CLIENT_PAIR Error
        "client certificate and private key for the log server do not belong together"
        cause "the certificate was issued for another key"
        remedy "give the key whose certificate signing request made this certificate";
    LogServerUnreachable "HPL01101E" LOG_SERVER_UNREACHABLE Error
        "the log server takes no connection"
        cause "no route, a firewall, another port, or a server that is not running"
        remedy "check hostname and port under env.logging, the guest's network, and that the server listens with TLS";
    LogServerUntrusted "HPL01102E" LOG_SERVER_UNTRUSTED Error
        "the log server's certificate was not issued by the authority in the contract, or by a public one where it names none"
        cause "another authority, a missing intermediate certificate, or a certificate that is not for servers"
        remedy "put the authority of the server's certificate, with its intermediates, into logging.syslog.server, or into countersign.log-router.authorities";
    LogServerName "HPL01103E" LOG_SERVER_NAME Error
        "the log server's certificate carries another name"
        cause "hostname is not among the subject alternative names; the common name does not count"
        remedy "issue the server a certificate with hostname as DNS or IP subject alternative name";
    LogServerDates "HPL01104E" LOG_SERVER_DATES Error
        "the log server's certificate is not valid now"
        cause "the certificate, or one above it, has expired or is not yet valid"
        remedy "renew the server's certificate; check the guest's clock, which the host sets";
    LogServerWeak "HPL01105E" LOG_SERVER_WEAK Error
        "the log server's certificate is signed too weakly"
        cause "a digest below SHA-256 or a key below 2048 bits RSA somewhere in the chain"
        remedy "issue the certificate again with SHA-256 and a key of at least 2048 bits RSA or 224 bits elliptic";
    LogClientRefused "HPL01106E" LOG_CLIENT_REFUSED Error
        "the log server refuses the client certificate in the contract, or wants one where the contract has none"
        cause "it expects another authority or a permitted name, the certificate has expired, or there is no certificate"
        remedy "read the server's own log; let it trust the issuer of logging.syslog.cert, or give cert and key where the contract has none";
    LogServerProtocol "HPL01107E" LOG_SERVER_PROTOCOL Error
        "the log server does not speak TLS 1.2 or newer"
        cause "another service listens on the port, its TLS is older, or it did not answer in time"
        remedy "check the port, and that the server offers TLS 1.2 or 1.3 there";
    LogTokenRefused "HPL01108E" LOG_TOKEN_REFUSED Error
        "IAM gives no token for the API key in the contract"
        cause "the API key is mistyped, was deleted or locked, or its service ID is not allowed to log in"
        remedy "make a new API key for the service ID and put it into logging.logRouter.iamApiKey";
    LogTokenUnavailable "HPL01109E" LOG_TOKEN_UNAVAILABLE Error
        "IAM cannot be reached for a token"
        cause "its name does not resolve, no route or a firewall, or it cannot answer now"
        remedy "let the guest reach IAM, or name a private endpoint in countersign.log-router.iam-url";
    LogTokenUntrusted "HPL01110E" LOG_TOKEN_UNTRUSTED Error
        "the server that answers as IAM is not trusted, or its answer is not a token"
        cause "its certificate has another authority or name or has expired, its TLS is too old, or its answer holds no token"
        remedy "check countersign.log-router.iam-url, and iam-authorities where IAM's authority is not a public one";
    LogIngestionDenied "HPL01111E" LOG_INGESTION_DENIED Error
        "the log service does not let the API key in the contract write records"
        cause "the service ID lacks the role Sender for this instance, or the token is of another account"
        remedy "give the service ID of logging.logRouter.iamApiKey the role Sender for the instance";
    LogIngestionRefused "HPL01112E" LOG_INGESTION_REFUSED Error
        "the log service refuses the records"
        cause "the host is no ingestion address, or the service wants records of another form"
        remedy "put the ingestion address of the instance, with .ingress. in its name, into logging.logRouter.hostname";
    LogIngestionBusy "HPL01113E" LOG_INGESTION_BUSY Error
        "the log service takes no records now"
        cause "it answers that it is overloaded, out of order, or that the account's limit is reached"
        remedy "look at the state and the limits of the instance, then start the guest again";
    LogCertificateEnding "HPL01120W" LOG_CERTIFICATE_ENDING Warning
        "a certificate of the log connection expires soon"
        cause "the client certificate in the contract, or the log server's authority there, expires within 30 days"
        remedy "issue a new certificate and start the guest with a contract that holds it";
    LogCertificateEnded "HPL01121W" LOG_CERTIFICATE_ENDED Warning
        "a certificate of the log connection has expired"
        cause "the client certificate in the contract, or the log server's authority there, has expired; the server may refuse the next connection"
        remedy "start the guest with a contract that holds a new certificate";
    LogDrained "HPL01122I" LOG_DRAINED Info
        "no log record waits for the log server any more"
        cause "the server took what was waiting"
        remedy "nothing to do";
    LogWaiting "HPL01122W" LOG_WAITING Warning
        "log records wait for the log server"
        cause "the server takes records more slowly than they are made, or not at all; they are kept in the journal on encrypted scratch space"
        remedy "look at the log server and the network between";
    LogOverwritten "HPL01123W" LOG_OVERWRITTEN Warning
        "log records were dropped before the log server had taken them"
        cause "more was written than the journal holds while the server took nothing or too little; the oldest records went"
        remedy "let the log server take records faster, or the workload write fewer; the gap shows in the sequence numbers";
    LogJournal "HPL01124E" LOG_JOURNAL Error
        "the journal cannot be read"
        cause "journalctl is missing or fails, or a journal file is damaged"
        remedy "look at the scratch disk and at the memory of the guest";
    LogRecordRefused "HPL01125W" LOG_RECORD_REFUSED Warning
        "the log service refused a record and takes others; it stays in the guest's journal alone"
        cause "something in the record offends the service: its size, its age, or a rule of the instance"
        remedy "the gap shows in the sequence numbers; look at the limits of the instance";
    VolumeEncrypted "HPL02001I" ENCRYPTION_SUCCESS Info
        "a new volume is encrypted and has its file system"
        cause "the disk was blank, and the contract does not forbid to make a volume on it"
        remedy "say initialize: never from now on, so that no blank disk can take the place of this one";
    LuksFormatFailed "HPL02002E" LUKS_FORMAT_FAILED Error
        "a volume could not be formatted as LUKS2"
        cause "the device failed, is read-only, or is too small"
        remedy "look at the console for the device's error and replace or enlarge the disk";
    VolumeMounted "HPL02002I" MOUNT_SUCCESS Info
        "a volume is mounted at its mount point"
        cause "the volume was opened and its file system is clean"
        remedy "nothing to do";
    LuksOpenFailed "HPL02003E" LUKS_OPEN_FAILED Error
        "a volume could not be opened with the seeds of the contract"
        cause "one of the two seeds differs from the seeds the volume was made with, or the header is damaged"
        remedy "boot with the seeds of the first boot; to change a seed, give the old one as previousSeed";
    CreateFileSystemFailed "HPL02005E" CREATE_FS_FAILED Error
        "the file system of a new volume could not be made"
        cause "the device failed or is too small for the file system that was asked for"
        remedy "look at the console for the error of mkfs";
    FileSystemNotExtended "HPL02006E" EXTEND_FS_FAILED Error
        "the file system of a volume could not be grown"
        cause "its disk became larger, and the file system has errors or cannot become so large"
        remedy "check the file system on a rescue machine";
    MountFailed "HPL02007E" MOUNT_DEVICE_FAILED Error
        "a volume could not be mounted"
        cause "the volume holds no file system of the expected kind, or its file system is damaged"
        remedy "check that filesystem in the contract is the one the volume was made with";
    FileSystemOther "HPL02100E" VOLUME_FILE_SYSTEM Error
        "a volume has another file system than the contract names"
        cause "the volume was made with another file system, or none was ever made on it"
        remedy "let filesystem name the file system that the volume was made with; a volume is never made again";
    ContractUnparsable "HPL05000E" PARSE_CONTRACT Error
        "the text is not valid YAML"
        cause "a syntax error, often an indentation, a tab, or an unclosed quote"
        remedy "correct the text at the named line and column";
    ContractInvalid "HPL05001E" VALIDATE_CONTRACT Error
        "the contract does not follow the schema"
        cause "a field is missing, misnamed, of the wrong type, or its value does not have the required form"
        remedy "correct the field at the named place; every field is described in CONTRACT.md";
    ContractMissing "HPL05002E" CONTRACT_NOT_EXISTS Error
        "there is no contract"
        cause "the user-data file is absent or empty"
        remedy "put the contract into the file user-data of the disk labelled cidata";
    TextTooLarge "HPL05100E" CONTRACT_TOO_LARGE Error
        "the text is larger than a contract may be"
        cause "contract and decrypted sections are limited to 1 MiB each"
        remedy "move large files from the archive into the container image";
    TextTooDeep "HPL05101E" CONTRACT_TOO_DEEP Error
        "the text is nested too deeply"
        cause "maps and lists may be nested 64 levels deep"
        remedy "flatten the structure";
    TextTooManyNodes "HPL05102E" CONTRACT_TOO_MANY_NODES Error
        "the text holds too many values"
        cause "a text may hold 16384 keys and values together"
        remedy "remove entries";
    TextNotUtf8 "HPL05103E" CONTRACT_NOT_UTF8 Error
        "the text is not UTF-8"
        cause "the file is in another encoding, or is not text at all"
        remedy "save the contract as UTF-8";
    TextControlCharacter "HPL05104E" CONTRACT_CONTROL_CHARACTER Error
        "the text holds a control character"
        cause "a NUL or another character that YAML does not allow"
        remedy "remove the character at the named place";
    DuplicateKey "HPL05105E" CONTRACT_DUPLICATE_KEY Error
        "a key occurs twice in the same map"
        cause "two parties could read such a contract differently, so neither entry is taken"
        remedy "keep one of the two entries";
    AnchorOrAlias "HPL05106E" CONTRACT_ANCHOR Error
        "anchors and aliases are not accepted"
        cause "the text uses & or * outside a quoted string"
        remedy "write the value out at each place, or quote a string that begins with & or *";
    MergeKey "HPL05107E" CONTRACT_MERGE_KEY Error
        "merge keys are not accepted"
        cause "the text uses the key <<"
        remedy "write the entries out";
    Tag "HPL05108E" CONTRACT_TAG Error
        "tags are not accepted"
        cause "the text uses ! to give a value a type"
        remedy "remove the tag, or quote a string that begins with !";
    SeveralDocuments "HPL05109E" CONTRACT_SEVERAL_DOCUMENTS Error
        "the text holds more than one YAML document"
        cause "a second document begins after the first, at a line of three hyphens or dots"
        remedy "keep one document";
    KeyNotText "HPL05110E" CONTRACT_KEY_NOT_TEXT Error
        "a key is not a string"
        cause "a key is a number, a truth value, null, a list or a map"
        remedy "quote the key";
    DirectiveRefused "HPL05111E" CONTRACT_DIRECTIVE Error
        "YAML directives are not accepted"
        cause "the text begins with a line such as %YAML or %TAG"
        remedy "remove the line";
    SectionMissing "HPL05120E" CONTRACT_SECTION_MISSING Error
        "a section of the contract is missing"
        cause "a contract needs the keys workload and env at its top level"
        remedy "add the section";
    SectionForm "HPL05121E" CONTRACT_SECTION_FORM Error
        "a top-level value has the wrong form"
        cause "a section is text, an encrypted token or a map; keys and signatures are text"
        remedy "write the section as a block scalar with | or as a token";
    TokenForm "HPL05122E" CONTRACT_TOKEN_FORM Error
        "an encrypted token is not complete"
        cause "a token is prefix, sealed passphrase and sealed text in base64, joined by dots; a part is missing or was cut"
        remedy "copy the whole token, as one line";
    UnsupportedField "HPL05130E" CONTRACT_FIELD_UNSUPPORTED Error
        "a field is understood but this version of the guest does not act on it"
        cause "ignoring the field would give less than the contract asks for"
        remedy "remove the field, or use an image whose version supports it";
    DuplicateMount "HPL05131E" CONTRACT_MOUNT_CONFLICT Error
        "two volumes have the same mount point"
        cause "the default mount point is /mnt/data, so at most one volume may omit mount"
        remedy "give each volume a mount point of its own";
    ReservedMount "HPL05132E" CONTRACT_MOUNT_RESERVED Error
        "a volume is to be mounted over a folder of the guest itself"
        cause "/usr, /etc, /run, /var and the like hold the guest's own files, /data1 the compose folder"
        remedy "mount the volume elsewhere, for example below /mnt, and bind it into the container";
    UnknownKey "HPL05200W" CONTRACT_UNKNOWN_KEY Warning
        "an unknown key is ignored"
        cause "HPCR accepts unknown keys at this place, so the contract is accepted; the key has no effect"
        remedy "correct the spelling, or remove the key";
    ShortSeed "HPL05201W" CONTRACT_SEED_WEAK Warning
        "a seed is shorter or simpler than today's rule"
        cause "HPCR demands since 2026 at least 15 letters, digits or !@#$%^&*(),.?\":{}|<>_-; it took 3 characters before, and Countersign takes them still"
        remedy "change to a longer seed, giving the old one as previousSeed";
    SharedSeed "HPL05202W" CONTRACT_SEED_SHARED Warning
        "a seed is used twice"
        cause "where both sections have it for a volume, one party knows the whole passphrase; where two volumes have it, who learns it for one has it for the other"
        remedy "give each party a seed of its own for each volume, and the old one as previousSeed where the volume exists";
    EnvironmentOverridden "HPL05203W" CONTRACT_ENV_OVERRIDDEN Warning
        "both sections set the same environment variable"
        cause "the value of the workload section wins, the other is ignored"
        remedy "remove the variable from one of the sections";
    CredentialsOverridden "HPL05204W" CONTRACT_AUTH_OVERRIDDEN Warning
        "both sections give credentials for the same registry"
        cause "the credentials of the workload section win, the others are ignored"
        remedy "remove the entry from one of the sections";
    NoClientCertificate "HPL05205W" CONTRACT_LOG_UNAUTHENTICATED Warning
        "the guest shows no client certificate to the log server"
        cause "cert and key are absent under env.logging.syslog"
        remedy "add cert and key, both, so that the server can tell this guest from others; without them it must take records from anybody";
    CertificateEnding "HPL05206W" CONTRACT_CERTIFICATE_ENDING Warning
        "a certificate of the contract has expired, is not yet valid, or expires within 30 days"
        cause "the certificate's dates, held against the time of the check"
        remedy "get a certificate with later dates, and seal and sign the contract again";
    InitializeUnsaid "HPL05207I" CONTRACT_INITIALIZE_UNSAID Info
        "the contract does not say whether the volume exists"
        cause "without initialize, a blank disk is made into a volume, at every boot: also one that takes the place of a used volume"
        remedy "say initialize: never under countersign.volumes once the volume was made, or if-blank where that is meant";
    GuessableSeed "HPL05208W" CONTRACT_SEED_GUESSABLE Warning
        "a seed can be guessed"
        cause "it holds less than the 128 bits that a random seed should have, or few different characters; the host has the volume's header and can try as many seeds as it likes"
        remedy "make a seed with openssl rand -hex 32, giving the old one as previousSeed where the volume exists";
    ImagePullFailed "HPL06004E" DOCKER_COMMAND Error
        "an image could not be pulled"
        cause "the registry is not reachable, refuses the credentials, or does not have the digest"
        remedy "check registry, credentials and authority in the contract, and that the digest exists";
    NoComposeFile "HPL06008E" NO_COMPOSE Error
        "the archive holds no compose file"
        cause "a file docker-compose.yaml, docker-compose.yml, compose.yaml or compose.yml must lie at its top"
        remedy "pack the content of the folder, not the folder itself";
    ComposeRefused "HPL06009E" PARSE_COMPOSE_CONTRACT Error
        "the compose file is not one that the guest runs"
        cause "it is not valid YAML or not of the form of the compose specification, refers to something that is not there, uses build, asks for something that the engine of the guest does not have, or the image of a service is not a valid reference once its variables are replaced"
        remedy "correct the named line; name every image by digest";
    ImageNotPinned "HPL06010E" CONTRACT_IMAGE_MISMATCH Error
        "an image is named by tag and no signature rule covers it"
        cause "an image must be pinned by digest, or be covered by an entry of images.rhs or countersign.images"
        remedy "name the image as name@sha256:digest, or say under images.rhs or countersign.images who must have signed it";
    ArchiveEncoding "HPL06100E" ARCHIVE_ENCODING Error
        "the archive is not base64 of a gzipped tar"
        cause "the text is not base64, or what it encodes is not a complete gzip stream of a tar archive"
        remedy "make it with tar -C folder -cz . | base64 -w0";
    ArchiveTooLarge "HPL06101E" ARCHIVE_TOO_LARGE Error
        "the archive is too large"
        cause "an archive may hold 64 MiB and 4096 entries unpacked"
        remedy "move large files into the container image";
    ArchiveEntryKind "HPL06102E" ARCHIVE_ENTRY_KIND Error
        "the archive holds something other than a file or a folder"
        cause "links, devices and pipes are refused"
        remedy "pack with GNU tar and --dereference --hard-dereference, or remove the entry";
    ArchivePath "HPL06103E" ARCHIVE_PATH Error
        "a path in the archive leaves the folder or is not usable"
        cause "paths must be relative, without .., in UTF-8, and at most 1024 bytes long"
        remedy "pack with tar -C folder -cz . | base64 -w0";
    ArchiveDuplicate "HPL06104E" ARCHIVE_DUPLICATE Error
        "a path occurs twice in the archive"
        cause "two entries have the same path, or a file lies where another entry needs a folder"
        remedy "pack the folder afresh";
    SeveralComposeFiles "HPL06105E" ARCHIVE_SEVERAL_COMPOSE Error
        "the archive holds more than one compose file"
        cause "it would not be clear which of them runs"
        remedy "keep one of them";
    ArchiveDotenv "HPL06106E" ARCHIVE_DOTENV Error
        "the .env of the archive cannot be read"
        cause "the compose program does not take a line of it, or it is not UTF-8 or larger than 1 MiB with its variables replaced"
        remedy "write each line as NAME=value, in quotes where the value has spaces, # or $, and try it with docker compose config";
    ImagesLate "HPL06120E" IMAGES_DEADLINE Error
        "the images were not all there in time"
        cause "the registry or the network is slow or has come to a standstill; all images together have 30 minutes"
        remedy "look at the registry and the network between, use smaller images, or a registry nearer to the guest";
    ComposeNotice "HPL06121W" COMPOSE_NOTICE Warning
        "the compose file runs otherwise than it may look"
        cause "the engine of the guest leaves a key out, a variable has no value, or a file is not in the archive"
        remedy "read what the message says of the named line, and change the line if that is not meant";
    ReachRefused "HPL06122E" CONTAINER_REACH_REFUSED Error
        "a container would reach what belongs to the guest itself"
        cause "a path, a device or an option of the compose file or of a pod shows the engine, the disks below the volumes, or what countersignd keeps"
        remedy "mount a data volume or a path of the archive instead";
    ContainerReach "HPL06123W" CONTAINER_REACH Warning
        "a container reaches into the guest"
        cause "the compose file or a pod gives a container a path of the guest, a device, a namespace or a privilege beyond the usual ones"
        remedy "remove it, unless the workload needs it";
    ImitatedName "HPL06124W" CONTAINER_NAME_IMITATES Warning
        "a name of the workload looks like one of the guest's own"
        cause "a service, a container or a pod is called like countersignd or its units, the kernel, systemd or the engine; its lines stand in the log under that name"
        remedy "give it a name of its own; in the log the structured data of a record says who wrote it";
    ImageKeyForm "HPL06125E" IMAGE_KEY_FORM Error
        "a key that images are signed with cannot be used"
        cause "an entry of images.rhs or countersign.images holds something other than a public key of the kind that it is for"
        remedy "give an OpenPGP public key (gpg --armor --export) for simple signing, and cosign.pub for cosign";
    ImageRuleForm "HPL06126E" IMAGE_RULE_FORM Error
        "a rule for signed images does not say who must have signed"
        cause "an entry of countersign.images has no key, or repeats what images.rhs says of the same name"
        remedy "give cosign-key or simple-signing-key, or publicKey under images.rhs, and lookaside only for simple signing";
    ImageSignature "HPL06127E" IMAGE_SIGNATURE Error
        "an image is not signed as the contract demands"
        cause "no signature was found that the rule of the image accepts"
        remedy "sign the image for s390x under the name that the workload uses, with the key of the contract";
    ImageRuleUnused "HPL06128W" IMAGE_RULE_UNUSED Warning
        "a rule for signed images covers no image of the workload"
        cause "no image has the name of the rule, or those that have it are named by digest, which images.rhs leaves to the digest"
        remedy "correct the name, or remove the rule; under countersign.images a rule covers images that are named by digest, too";
    PartitioningFailed "HPL07003E" CREATING_PARTITIONS_FAILED Error
        "the partitions of a new volume could not be made"
        cause "the device failed while its partition table was written"
        remedy "look at the console for the device's error and replace the disk";
    VolumesMounted "HPL07003I" MOUNTING_VOLUMES_DONE Info
        "all volumes are mounted"
        cause "every volume of the contract was found and opened"
        remedy "nothing to do";
    PartitionNotResized "HPL07004E" RESIZE_PARTITION_FAILED Error
        "the partition of a volume could not be grown"
        cause "the disk became larger, and the device failed while its partition table was changed"
        remedy "boot again; if that fails, look at the console for the device's error";
    PartitionCount "HPL07006E" UNSUPPORTED_NUMBER_OF_PARTITIONS Error
        "the disk of a volume has a number of partitions that no volume has"
        cause "a volume has no partition, or the two called metadata and data"
        remedy "attach the volume's own disk, or a blank one";
    VolumeNames "HPL07015E" VOLUMES_NAMING_INVALID Error
        "the volumes of the two sections do not match"
        cause "each volume must be named in workload and in env, because each party gives one seed"
        remedy "add the missing entry, or correct its name";
    VolumeMissing "HPL07100E" VOLUME_MISSING Error
        "the disk of a volume did not appear"
        cause "no disk has the volume's volumeID, volumeName or key as its serial number"
        remedy "attach the disk with that serial number";
    VolumeAmbiguous "HPL07101E" VOLUME_AMBIGUOUS Error
        "it is not clear which disk a volume is on"
        cause "two disks have the same serial number, or two volumes name the same disk"
        remedy "give each disk a serial number of its own and name it in volumeID";
    VolumeOccupied "HPL07102E" VOLUME_OCCUPIED Error
        "the disk of a volume holds something that is not a volume"
        cause "only a disk whose header regions are all zero is made into a volume"
        remedy "attach the right disk; to give this one away, overwrite its first 128 MiB and last 1 MiB with zeros";
    VolumeBlank "HPL07103E" VOLUME_BLANK Error
        "the disk of a volume is blank and must not be initialised"
        cause "the contract says initialize: never, and there is no volume to open"
        remedy "attach the disk that holds the volume, or allow if-blank for the first boot";
    PartitionNames "HPL07104E" VOLUME_PARTITION_NAMES Error
        "the partitions of a volume's disk have other names"
        cause "the two partitions of a volume are called metadata and data"
        remedy "attach the volume's own disk, or a blank one";
    VolumeTooSmall "HPL07105E" VOLUME_TOO_SMALL Error
        "the disk is too small for a new volume"
        cause "the metadata partition, the LUKS header and a file system need 256 MiB"
        remedy "attach a larger disk";
    VolumeReadOnly "HPL07106E" VOLUME_READ_ONLY Error
        "the disk of a volume is read-only"
        cause "the host attached it so"
        remedy "attach it writable";
    HeaderRefused "HPL07107E" VOLUME_HEADER_REFUSED Error
        "the header of a volume is not one that this guest or HPCR makes"
        cause "the host holds the header and may have forged it, or the disk is damaged; no key was derived from it"
        remedy "restore the disk; if the header is known to be good, report the rule that it breaks";
    DiskUnreadable "HPL07108E" VOLUME_DISK_UNREADABLE Error
        "a disk could not be read"
        cause "the device reported an error"
        remedy "look at the console for the device's error and replace the disk";
    SeedOrder "HPL07109W" VOLUME_SEED_ORDER Warning
        "the volume opened with the workload's seed before the deployer's"
        cause "it was made by a tool that joins the seeds in the other order"
        remedy "nothing to do; the volume stays usable";
    HeaderRepaired "HPL07110W" VOLUME_HEADER_REPAIRED Warning
        "one of the two copies of a volume's header was broken and is made anew from the other"
        cause "the power failed while the header was written, or the disk or the host changed one copy"
        remedy "nothing to do after a power failure; otherwise look at the disk, and keep a header backup";
    SeedsChanged "HPL07111I" VOLUME_SEEDS_CHANGED Info
        "the volume opens with the new seeds only"
        cause "the contract has previousSeed, and the volume opened with the seeds until now"
        remedy "take previousSeed out of the next contract";
    SeedChangeFailed "HPL07112E" VOLUME_SEED_CHANGE Error
        "the seeds of a volume could not be changed"
        cause "the volume is of an old format whose header cannot be changed safely, or the device failed"
        remedy "copy the data to a new volume, or boot with the old seeds; the volume opens with the old or the new ones";
    HeaderNotRepaired "HPL07113E" VOLUME_HEADER_REPAIR Error
        "the broken copy of a volume's header could not be made anew"
        cause "the device failed, or gave back other bytes than it had taken"
        remedy "look at the console for the device's error and replace the disk; a copy of it opens by the other header copy";
    VolumeRecordMissing "HPL07120W" VOLUME_RECORD_MISSING Warning
        "the volume has no record that says whose it is"
        cause "HPCR or a program without records made it, or somebody with full rights took the record away"
        remedy "nothing to do once; the volume has a record from now on, unless it is mounted read-only";
    VolumeRecordInvalid "HPL07121E" VOLUME_RECORD_INVALID Error
        "the record of a volume was not written under the key of this volume"
        cause "the host put other bytes into the volume, or somebody with full rights changed the record"
        remedy "compare with a backup; remove trusted.countersign from the volume's root on a rescue machine to trust it";
    VolumeExchanged "HPL07122E" VOLUME_EXCHANGED Error
        "the disk holds another volume than the contract names"
        cause "two volumes were exchanged, a volume was copied under another name, or its name was changed"
        remedy "attach the right disk; to rename a volume, remove trusted.countersign from its root on a rescue machine";
    HeaderReplaced "HPL07123E" VOLUME_HEADER_REPLACED Error
        "a volume has another header than its record names"
        cause "the host put an older or changed header back, or the header was changed outside of the guest"
        remedy "restore the header; if you changed it, remove trusted.countersign from the volume's root on a rescue machine";
    VolumeLeftAsItIs "HPL07124W" VOLUME_LEFT_UNCHANGED Warning
        "the volume is mounted read-only, so its record, seeds and size stay as they are"
        cause "the contract gives the volume the mount option ro, and something was to be written"
        remedy "boot once without ro";
    VolumeRecordFailed "HPL07125E" VOLUME_RECORD_FAILED Error
        "the record of a volume could not be read or written"
        cause "the device or the file system reported an error, or the file system keeps no extended attributes"
        remedy "look at the console for the error; check the file system on a rescue machine";
    IntegrityDiffers "HPL07126E" VOLUME_INTEGRITY_DIFFERS Error
        "a volume is not protected against change as the contract says"
        cause "it was made with the other setting of integrity, or the host put another header there; no key was derived from it"
        remedy "name integrity in the contract as it was when the volume was made; if it is named so, do not trust the disk";
    ContractOlder "HPL07127E" VOLUME_CONTRACT_OLDER Error
        "the contract is older than one that has opened a volume"
        cause "env.countersign.serial is lower than the serial in the volume's record, or missing: an older contract was put back"
        remedy "use the newest contract; to go back to what an older one says, give it a higher serial and sign it again";
    VolumeMade "HPL07128W" VOLUME_MADE Warning
        "the disk is blank, and a new volume is made on it; whatever the volume held before is not there"
        cause "the contract does not say initialize: never, and the disk holds nothing; at the first boot that is as it should be"
        remedy "if the volume existed before, stop the guest and ask the operator of the host for the disk; say initialize: never for a volume that exists";
    VolumeGrown "HPL07130I" VOLUME_GROWN Info
        "the volume has grown to the size of its disk"
        cause "the disk became larger since the last boot"
        remedy "nothing to do";
    VolumeNotGrown "HPL07131W" VOLUME_NOT_GROWN Warning
        "the disk became larger, and the volume stays as it is"
        cause "the disk's partition table is not one that a volume's disk has, or the file system once had an error"
        remedy "look at the table with sgdisk --verify, check the file system on a rescue machine, or copy the data";
    ComposeFailed "HPL08004E" DOCKER_COMMAND Error
        "the compose project did not start"
        cause "the compose program reported an error; its last line is in the message"
        remedy "try the compose file with the same images elsewhere, and look at the log server for the engine's lines";
    ContainerExited "HPL08110W" CONTAINER_EXITED Warning
        "a container of the workload has ended"
        cause "its program ended, was stopped, or did not start"
        remedy "read the container's own lines before this one";
    ContainerRestarted "HPL08111W" CONTAINER_RESTARTED Warning
        "a container of the workload was started again"
        cause "its program ended and the compose file's restart policy, or somebody, started it"
        remedy "read the container's own lines before this one";
    EngineSilent "HPL08112W" ENGINE_SILENT Warning
        "the container engine does not say what runs"
        cause "the engine's service is down or does not answer in time"
        remedy "look for the engine's own lines; start the guest again if it stays silent";
    ContainerHealthy "HPL08113I" CONTAINER_HEALTHY Info
        "the health check of a container succeeds again"
        cause "its check had failed, and does not fail any more"
        remedy "nothing to do";
    ContainerUnhealthy "HPL08113W" CONTAINER_UNHEALTHY Warning
        "the health check of a container fails"
        cause "the check that the compose file or the pod has for it failed as often as it may"
        remedy "read the container's own lines before this one; of pods, a container that may be restarted is";
    ComposeLate "HPL08120E" COMPOSE_DEADLINE Error
        "the compose project did not start in time"
        cause "a container is not created, or a service that others wait for does not become healthy or does not end; all together have 14 minutes"
        remedy "look at the log server for the containers' lines, and at depends_on and healthcheck in the compose file";
    ServiceFailed "HPL10000E" SERVICE_FAILED Error
        "the boot failed and the guest powers off"
        cause "the line before names the first cause"
        remedy "look up the code of the first cause";
    ServiceSuccess "HPL10001I" SERVICE_SUCCESS Info
        "the workload is started"
        cause "all stages of the boot succeeded"
        remedy "nothing to do";
    BootInternal "HPL11000E" INTERNAL_ERROR Error
        "the initramfs met an error that it has no name for"
        cause "a system call or program failed in a way that should not happen"
        remedy "keep the console log and report it";
    BootInvalidContract "HPL11001E" INVALID_CONTRACT Error
        "the contract could not be opened"
        cause "a section is not a token for this image's key, or its text was altered"
        remedy "seal the section again with the encryption certificate of this very image";
    AttestationKeyForm "HPL11002E" ENCRYPT_ATTESTATION Error
        "the attestation record cannot be encrypted to the auditor"
        cause "attestationPublicKey is not an RSA public key or certificate of at least 2048 bits, as PEM or base64 of PEM"
        remedy "give the auditor's public key, extracted with openssl pkey -pubout, or remove the field";
    InsufficientMemory "HPL11003E" INSUFFICIENT_MEMORY Error
        "the guest has too little memory"
        cause "key derivation, guest OS and engine need at least 1 GiB"
        remedy "give the guest more memory";
    BootEnded "HPL11099I" BOOTLOADER_END Info
        "the initramfs is done and hands over to the guest system"
        cause "all checks of the initramfs passed"
        remedy "nothing to do";
    CidataMissing "HPL11100E" CIDATA_MISSING Error
        "no disk labelled cidata was found"
        cause "the contract disk is not attached, or its volume id is another"
        remedy "make the disk with genisoimage -volid cidata -joliet -rock and attach it as a virtio disk";
    CidataInvalid "HPL11101E" CIDATA_INVALID Error
        "the contract disk is not a usable ISO 9660 file system"
        cause "the disk is damaged, larger than 16 MiB, or uses features that no contract needs"
        remedy "make the disk afresh";
    HostNameInvalid "HPL11102E" HOST_NAME_INVALID Error
        "the host name in meta-data is not valid"
        cause "a host name has letters, digits, hyphens and dots, 253 characters at most"
        remedy "correct local-hostname in meta-data";
    ImageIncomplete "HPL11103E" IMAGE_INCOMPLETE Error
        "the image lacks a part"
        cause "the initramfs was built without a program, a kernel module or a valid manifest"
        remedy "build the image again";
    NotSecureExecution "HPL11104W" NOT_SECURE_EXECUTION Warning
        "this is not a Secure Execution guest: its memory can be read from outside"
        cause "the machine has no Ultravisor, or the image was started without being sealed"
        remedy "for real data, start a sealed image on a machine with Secure Execution";
    ClockSetBack "HPL11105W" CLOCK_SET_BACK Warning
        "the clock went back"
        cause "the host, who sets the guest's clock, set it back; dates are judged by the highest time seen"
        remedy "ask the operator of the host; nothing is valid for longer by it";
    TranscriptComplete "HPL11106I" TRANSCRIPT Info
        "the transcript of the boot is complete"
        cause "the workload is started and the first check is over; the digest is that of transcript.json"
        remedy "nothing to do";
    ClockBehindImage "HPL11107W" CLOCK_BEHIND_IMAGE Warning
        "the clock is behind the build date of the image"
        cause "the host, who sets the guest's clock, started the guest with a time before that date; dates are judged by the later time"
        remedy "ask the operator of the host; nothing is valid for longer by it";
    ClockBehindVolume "HPL11108W" CLOCK_BEHIND_VOLUME Warning
        "the clock is behind the time at which the volume was last opened"
        cause "the host, who sets the guest's clock, set it back, or it was ahead at an earlier boot; dates are judged by the later time"
        remedy "ask the operator of the host; if the volume's time is wrong, remove trusted.countersign from its root on a rescue machine";
    RootImage "HPL11110E" ROOT_IMAGE Error
        "the guest OS could not be opened"
        cause "its disk is missing or does not have the root hash that is sealed in the initramfs"
        remedy "attach the os disk that belongs to this boot image, unchanged";
    ScratchSpace "HPL11111E" SCRATCH_SPACE Error
        "scratch space could not be made"
        cause "the scratch disk failed or is too small"
        remedy "attach a scratch disk of at least 1 GiB, or none, to keep scratch in memory";
    HandoverFailed "HPL11112E" HANDOVER Error
        "the guest OS could not be handed what it needs"
        cause "a file could not be written or read, or the guest OS has no init"
        remedy "build the image again";
    NoHardwareRandom "HPL11113W" NO_HARDWARE_RANDOM Warning
        "the processor has no random number generator that the kernel can use"
        cause "the machine is emulated, or older than z14; keys are made from what the kernel gathered and the host gave"
        remedy "for real data, start the guest on a machine of IBM z14 or later";
    HardwareRandomMissing "HPL11114E" HARDWARE_RANDOM_MISSING Error
        "the processor of this Secure Execution guest has no random number generator that the kernel can use"
        cause "the host hides the instruction, or the image lacks the kernel module s390-trng"
        remedy "give the guest a processor model that has the message-security-assist extension 7";
    ScratchPlain "HPL11115W" SCRATCH_WITHOUT_INTEGRITY Warning
        "scratch space is encrypted without integrity: the host can scramble or put back single blocks of it"
        cause "the image builder chose so in image.json"
        remedy "remove protection from scratch in image.json, or accept it";
    SecureExecutionRequired "HPL11116E" SECURE_EXECUTION_REQUIRED Error
        "this image opens contracts in a Secure Execution guest only"
        cause "the machine has no Ultravisor, or the image was started without being sealed"
        remedy "start the sealed image on a machine with Secure Execution; for tests, build an image whose image.json says secure-execution: test";
    SecureExecutionTest "HPL11117W" IMAGE_FOR_TESTS Warning
        "this image opens contracts without Secure Execution as well"
        cause "its image.json says secure-execution: test, so that it can be tried where there is no Ultravisor"
        remedy "for real data, build the image without secure-execution: test";
    RecordUnsigned "HPL11130W" RECORD_NOT_SIGNED Warning
        "the image has no attestation key: its records are not signed, and nobody vouches for them"
        cause "the image builder chose so in image.json"
        remedy "seal an attestation key and its certificate into the image with initramfs/add-key, or accept it";
    FinalRecordMissing "HPL11131W" FINAL_RECORD_MISSING Warning
        "there is no final record of this boot, or it does not reach everybody"
        cause "the daemon was started again before it had made one, or a file in memory could not be read or written"
        remedy "look at the log before this line; the first record is not affected";
    SignatureInvalid "HPL12001E" VALIDATE_CONTRACT_SIGNATURE Error
        "the signature of the contract does not verify"
        cause "a section was changed after signing, or another key signed; where env is an old token also: it does not open, is not valid, or names no usable signingKey, and the guest does not say which"
        remedy "sign workload and env again, exactly as they stand in the contract";
    SignatureIncomplete "HPL12004E" DEPENDENCY_ARGS_MISSING_ERROR Error
        "signature and signing key do not come together"
        cause "the contract has envWorkloadSignature without env.signingKey, or the reverse"
        remedy "give both or neither";
    ImageCertificateEnding "HPL12011W" CERTIFICATE_ENDING Warning
        "the encryption certificate of this image expires soon"
        cause "the image is old: contracts for it can be sealed for 30 more days at most"
        remedy "move to an image with a newer certificate";
    ImageCertificateEnded "HPL12013W" CERTIFICATE_ENDED Warning
        "the encryption certificate of this image has expired"
        cause "the image is older than its certificate allows; the running guest goes on"
        remedy "move to an image with a newer certificate";
    Unsigned "HPL12100W" CONTRACT_UNSIGNED Warning
        "the contract is not signed"
        cause "anybody who has the image's certificate can write such a contract or exchange a section"
        remedy "sign the contract and put the key into env.signingKey";
    SigningKeyForm "HPL12101E" SIGNING_KEY_FORM Error
        "the signing key cannot be used"
        cause "signingKey is not an RSA public key or certificate of at least 2048 bits, as PEM or base64 of PEM"
        remedy "extract it with openssl rsa -pubout, and give that text or its base64 form";
    UnsignedRefused "HPL12102E" CONTRACT_UNSIGNED_REFUSED Error
        "the contract is not signed, and a signature is demanded"
        cause "the image was built to refuse contracts without signature, or countersign.policy of a section does"
        remedy "sign the contract and put the key into env.signingKey";
    ContractExpired "HPL12103E" CONTRACT_EXPIRED Error
        "the contract is not valid now"
        cause "the certificate in env.signingKey has expired or is not yet valid; its dates are those of the contract"
        remedy "sign a new certificate for the key and seal the contract again; check the guest's clock";
    SignerRefused "HPL12104E" CONTRACT_SIGNER_REFUSED Error
        "the contract is signed by a key that the workload does not accept"
        cause "workload.countersign.policy.signing-keys does not list the fingerprint of env.signingKey"
        remedy "sign with a key that the workload provider listed; openssl pkey -pubin -outform DER and sha256sum give its fingerprint";
    EnvironmentRefused "HPL12105E" CONTRACT_ENV_REFUSED Error
        "the deployer sets a variable that the workload does not accept"
        cause "workload.countersign.policy.env does not list its name"
        remedy "remove the variable, or have the workload provider list it";
    LogServerNotListed "HPL12106E" CONTRACT_LOG_SERVER_REFUSED Error
        "the log server is not one that the workload accepts"
        cause "workload.countersign.policy.log-servers does not list its name, or not with this port"
        remedy "name a log server that the workload provider listed";
    LogAuthorityNotListed "HPL12107E" CONTRACT_LOG_AUTHORITY_REFUSED Error
        "the authority of the log server is not one that the workload accepts"
        cause "workload.countersign.policy.log-authorities does not list the fingerprint of a certificate in env.logging.syslog.server"
        remedy "give only listed certificates; openssl x509 -fingerprint -sha256 gives the fingerprint of one";
    PolicyUnprotected "HPL12108W" CONTRACT_POLICY_UNPROTECTED Warning
        "a condition stands in a section that can be altered"
        cause "text without encryption, and tokens other than countersign-v1, can be changed without notice, and a policy or a signingKey in them taken out"
        remedy "seal the section as countersign-v1, which countersign pack and seal do unless --for hpcr is given";
    SealedUnsigned "HPL12109E" CONTRACT_SEALED_UNSIGNED Error
        "the contract holds a sealed section and no signature"
        cause "nothing ties a sealed section to what stands beside it: whoever holds it could add a section of their own, and can alter an old token"
        remedy "name the key as env.signingKey and sign with countersign pack or sign; an image takes it unsigned only if its image.json says unsigned: accept";
    ContractEnding "HPL12110W" CONTRACT_ENDING Warning
        "the contract expires soon"
        cause "the certificate in env.signingKey expires; a guest that is started after that refuses the contract"
        remedy "sign a new certificate for the key and seal the contract again";
    ContractEnded "HPL12111W" CONTRACT_ENDED Warning
        "the contract has expired"
        cause "the certificate in env.signingKey has expired; the running guest goes on, the next start is refused"
        remedy "sign a new certificate for the key and seal the contract again";
    EncryptionCertificateDates "HPL12112E" ENCRYPTION_CERTIFICATE_DATES Error
        "the encryption certificate is not valid now"
        cause "it has expired or is not yet valid, and whoever made the image no longer answers for its key"
        remedy "take the certificate of a current image; to seal to this one all the same, give its bare public key";
    EncryptionCertificateChain "HPL12113E" ENCRYPTION_CERTIFICATE_CHAIN Error
        "the encryption certificate does not come from the authorities that were given"
        cause "its issuer is not among the files of --chain, or a certificate there has expired or may not issue the next"
        remedy "give all certificates above it with --chain; if they are right, do not seal to this certificate";
    EncryptionCertificateRevoked "HPL12114E" ENCRYPTION_CERTIFICATE_REVOKED Error
        "the encryption certificate was revoked"
        cause "it, or one above it, is on a revocation list"
        remedy "do not seal to this image; take the certificate of another";
    RevocationListUnusable "HPL12115E" REVOCATION_LIST Error
        "a revocation list cannot be used"
        cause "no certificate of --chain signed it, or the list has expired"
        remedy "fetch the list again from the address in the certificate, and give its issuer with --chain";
    UnsignedAccepted "HPL12116W" IMAGE_ACCEPTS_UNSIGNED Warning
        "this image accepts sealed contracts without a signature"
        cause "its image.json says unsigned: accept: whoever holds a sealed section can add one of their own, and can alter an old token"
        remedy "sign contracts, and build the image without unsigned: accept";
    AuthorityOfDeployer "HPL12117W" REGISTRY_AUTHORITY_OF_DEPLOYER Warning
        "authorities of the env section vouch for registries that get the workload's credentials"
        cause "env.cacerts count for every registry, and the workload section has credentials: who wrote the env can answer as the registry and read them"
        remedy "list the registries that such an authority is meant for in workload.countersign.policy.registries, or none";
    CheckStarted "HPL13000I" VERIFY_DISK_ENCRYPTION Info
        "checking the encryption of all volumes"
        cause "an hour has passed, the guest has started, or somebody asked for it"
        remedy "nothing to do";
    CheckPassed "HPL13001I" DISKS_ENCRYPTED Info
        "boot volume and all mounted data volumes are encrypted"
        cause "every mapping, mount and header is as the start of the guest left it"
        remedy "nothing to do";
    CheckedMount "HPL13003I" MOUNT_ENCRYPTED Info
        "a mount point was checked"
        cause "its device is encrypted and what it was at the start"
        remedy "nothing to do";
    NetworkConfigured "HPL13004I" NETWORK_CONFIGURED Info
        "the interfaces are set up as network-config says"
        cause "the contract disk holds a network-config, and it is valid"
        remedy "nothing to do";
    NetworkConfigInvalid "HPL13100E" NETWORK_CONFIG_INVALID Error
        "the network-config on the contract disk cannot be used"
        cause "it is not the subset of netplan version 2 that the guest acts on"
        remedy "correct the place that is named, or remove network-config to have the addresses served by DHCP";
    TableChanged "HPL13110E" TABLE_CHANGED Error
        "a mapped device is not what it was at the start"
        cause "its table in the kernel was replaced while the guest ran"
        remedy "stop the guest and find out who could do that: only root of the guest can";
    MountGone "HPL13111E" MOUNT_GONE Error
        "a volume is no longer mounted"
        cause "something with root's rights in the guest unmounted it"
        remedy "look at what the workload is allowed to do, then start the guest again";
    MountReplaced "HPL13112E" MOUNT_REPLACED Error
        "another device is mounted where a volume belongs"
        cause "something with root's rights in the guest mounted over the volume"
        remedy "look at what the workload is allowed to do, then start the guest again";
    MountFlags "HPL13113E" MOUNT_FLAGS Error
        "a volume is mounted with other flags than at the start"
        cause "it was mounted again, or its file system turned read-only after an error of the disk"
        remedy "look for errors of the disk in the kernel's lines, then start the guest again";
    HeaderChanged "HPL13114E" HEADER_CHANGED Error
        "the luks header of a volume was changed on the disk"
        cause "the host wrote to the disk, or somebody changed the key slots; the open volume is not touched by it"
        remedy "do not start the guest again with this disk before the header is restored from a copy you trust";
    ScratchChanged "HPL13115E" SCRATCH_CHANGED Error
        "scratch space is not encrypted as it was at the start"
        cause "its table in the kernel was replaced while the guest ran"
        remedy "stop the guest and find out who could do that: only root of the guest can";
    WatchUnreadable "HPL13116E" CHECK_IMPOSSIBLE Error
        "a volume could not be checked"
        cause "its mapping is gone, or its disk does not answer or holds no luks header any more"
        remedy "look at the disk on the host";
    RecordChanged "HPL13117E" VOLUME_RECORD_CHANGED Error
        "the record of a volume is not what it was at the start"
        cause "something with root's rights in the guest wrote or removed it, or its file system is damaged"
        remedy "look at what the workload is allowed to do; a record that is not the volume's own is refused at the next boot";
    CheckThrottled "HPL13120W" CHECK_THROTTLED Warning
        "a check that was asked for is left out"
        cause "three checks in five minutes are the limit"
        remedy "wait five minutes; the hourly check goes on";
    JournalUnheard "HPL13121W" JOURNAL_UNHEARD Warning
        "a line of the journal cannot ask for a check any more"
        cause "journalctl, which follows the journal for such lines, does not run"
        remedy "rely on the hourly check, which goes on; look in the log for what ended journalctl";
    NetworkReady "HPL14000I" DNS_LOOKUP_READY Info
        "the guest has an address and the log server's name resolves"
        cause "the network is configured"
        remedy "nothing to do";
    NetworkFailed "HPL14001E" DNS_LOOKUP_FAILED Error
        "the log server's name does not resolve"
        cause "no name server answers, or the name is wrong"
        remedy "check logging.syslog.hostname and the name servers of the network";
    NetworkChecking "HPL14001I" NETWORK_CHECK Info
        "the network or the log server is not ready yet; trying again"
        cause "a name server or the log server did not answer at the first attempt"
        remedy "nothing to do, unless HPL14001E or HPL01101E follows";
    NetworkTimeout "HPL14002E" DNS_LOOKUP_TIMEOUT Error
        "the guest got no address in time"
        cause "no DHCP server answers, or the network device is missing"
        remedy "check the guest's network device and the DHCP server";
    PacketFilterFailed "HPL14100E" PACKET_FILTER_FAILED Error
        "the packet filter is not loaded, so no interface comes up"
        cause "nft does not run, or the kernel refuses the rules"
        remedy "build the image again with the packages that belong to this version";
    PlayRefused "HPL15000E" PARSE_CONTRACT Error
        "the pods are not ones that the guest runs"
        cause "an object is not valid YAML, is neither Pod nor ConfigMap, has a key or a value that the engine does not read, refers to something that is not there, or a template cannot be evaluated"
        remedy "correct the named place; name every image by digest";
    PodsStarted "HPL15004I" POD_STARTUP_SUCCESSFUL Info
        "the pods are started"
        cause "every container of every pod was started, and every init container ended well"
        remedy "nothing to do";
    PodsFailed "HPL15005E" POD_STARTUP_FAILED Error
        "the pods did not start"
        cause "the engine reported an error: a path or a port is not to be had, an init container failed, or a container's program cannot be started"
        remedy "look at the log server for the engine's and the containers' lines";
    PlayLate "HPL15100E" PLAY_DEADLINE Error
        "the pods did not start in time"
        cause "an init container does not end; all pods together have 14 minutes"
        remedy "look at the log server for the containers' lines";
    PlayNotice "HPL15101W" PLAY_NOTICE Warning
        "a pod runs otherwise than it may look"
        cause "the engine of the guest leaves a key out, or reads it in another way than Kubernetes does"
        remedy "read what the message says of the named place, and change it if that is not meant";
}
