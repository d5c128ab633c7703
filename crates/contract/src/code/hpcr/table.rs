//! The table of HPCR's message codes, sorted by code: data, nothing else. See the parent module for where it is from.
//!
//! Each entry: code, name (empty if none is known), meaning there; for a code that Countersign never prints what stands in
//! its place and what helps.

use super::{HpcrCode, Instead};

/// What Countersign does about a third key of a volume.
const KEY_SERVICE: &str = "a volume has two seeds and no third key: kms and grep11 are refused with HPL05130E, and \
     there is no key daemon; what HPCR made with a third key does not open here";
/// The way out, while there is one. The days are those of IBM's pages about HPVS for VPC and about Hyper Protect Crypto
/// Services, where the third keys are.
const COPY_OUT: &str = "copy the data, inside HPCR, to a volume without kms and grep11, while both services are there: \
     HPVS for VPC until 20 February 2027, Hyper Protect Crypto Services until 28 March 2027";

hpcr! {
    "HPL01000E" "PARSE_CONTRACT"
        there "the logging service could not read the contract as YAML, so nothing was logged and the instance shut down"
        here "the contract is read once, in the initramfs: HPL05000E names line and column",
        remedy "correct the YAML at the place that countersign check names";
    "HPL01001E" "VALIDATE_CONTRACT"
        there "env.logging does not follow the schema, so logging was not set up and the instance shut down"
        here "the whole contract is held against the schema at once: HPL05001E names each field",
        remedy "correct the fields that countersign check names";
    "HPL01002W" "NO_LOG_CONFIG"
        there "the contract has no log server; the start goes on without a log"
        here "env.logging is required: without it the contract is refused with HPL05001E",
        remedy "give env.logging a syslog server or a log router";
    "HPL01003E" "INVALID_INGESTION_HOSTNAME"
        there "the host name under logDNA did not begin with syslog; images of 2025 dropped the message together with the service"
        here "logDNA is refused with HPL05130E, because IBM Log Analysis was switched off",
        remedy "send the log to a syslog server, or to IBM Cloud Logs by logRouter";
    "HPL01004E" "INVALID_LOGDNA_INGESTION_CONFIG"
        there "the service behind logDNA did not take a test record; images of 2025 dropped the message together with the service"
        here "logDNA is refused with HPL05130E, because IBM Log Analysis was switched off",
        remedy "send the log to a syslog server, or to IBM Cloud Logs by logRouter";
    "HPL01005E" "MISSING_PEM_BLOCK"
        there "a certificate or key under logging.syslog is not PEM; IBM's list of messages lets the start go on without a log, IBM's page about logging lets the instance shut down";
    "HPL01006E" "UNKNOWN_PRIVATE_KEY_TYPE"
        there "the key under logging.syslog is of a kind that HPCR does not read; it wants PKCS#8 without a passphrase";
    "HPL01007E" "MISSING_SERVER_CERTIFICATE"
        there "logging.syslog.server, the authority of the log server, is missing"
        here "the schema demands the field: HPL05001E names it",
        remedy "put the certificate of the log server's authority into logging.syslog.server";
    "HPL01008E" "MISSING_CLIENT_CERTIFICATE"
        there "logging.syslog.cert, the client certificate, is missing; HPCR's page demands it, Countersign only beside a key";
    "HPL01009E" "MISSING_PRIVATE_KEY"
        there "logging.syslog.key, the key of the client certificate, is missing; HPCR's page demands it, Countersign only beside a certificate";
    "HPL01010I" "LOGGING_SETUP_SUCCESSFUL"
        there "the log server took the test record, and forwarding begins";
    "HPL01011E" "INVALID_SYSLOG_INGESTION_CONFIG"
        there "the log server did not take the test record: address, certificates or key do not fit; Countersign says which of these in HPL01101E to HPL01107E";
    "HPL02001I" "ENCRYPTION_SUCCESS"
        there "a disk was encrypted";
    "HPL02002E" "LUKS_FORMAT_FAILED"
        there "a disk could not be formatted as LUKS and stays unencrypted";
    "HPL02002I" "MOUNT_SUCCESS"
        there "a device is mounted at its mount point";
    "HPL02003E" "LUKS_OPEN_FAILED"
        there "a device is LUKS and was not opened: the usual cause is a seed that differs from that of the first start";
    "HPL02004E" "LUKS_RESIZE_FAILED"
        there "the disk became larger, and the LUKS device on it could not be made larger"
        here "what is opened always covers its whole partition; HPL07004E and HPL02006E tell of the partition and of the file system",
        remedy "look on the console for an error of the disk, then start the guest again";
    "HPL02005E" "CREATE_FS_FAILED"
        there "the disk is encrypted, and no file system could be made on it";
    "HPL02006E" "EXTEND_FS_FAILED"
        there "the disk became larger, and its file system could not be made larger";
    "HPL02007E" "MOUNT_DEVICE_FAILED"
        there "a device could not be mounted, or it is mounted already";
    "HPL02120E" "UNEXPECTED_ERROR"
        there "a command of the disk encryption failed in a way that has no code of its own"
        here "each step has its own code: HPL02002E making, HPL02003E opening, HPL02005E the file system, HPL02007E mounting",
        remedy "read the lines around it; open the volume on a rescue machine with countersign passphrase";
    "HPL02121E" "INVALID_INPUT"
        there "a command of the disk encryption was called with arguments that it does not take"
        here "headers are judged before they are opened: HPL07107E names the rule that one breaks",
        remedy "read the lines around it; open the volume on a rescue machine with countersign passphrase";
    "HPL02122E" "RESOURCE_NOT_FOUND"
        there "a device that the disk encryption needs does not exist"
        here "a disk that does not appear is HPL07100E",
        remedy "attach the disk under the name that the contract gives";
    "HPL02123E" "ALREADY_IN_USE"
        there "a device that the disk encryption needs is mapped or mounted already"
        here "nothing else has touched a disk when the guest opens it; two volumes on one disk are HPL07101E",
        remedy "give each volume a disk of its own";
    "HPL02125E" "LUKS_PASSWORD_CHANGE_FAILURE"
        there "the passphrase of a volume could not be changed after a seed was changed"
        here "a change of seeds that fails is HPL07112E; the volume opens with the old or with the new seeds",
        remedy "start again with the old seeds, and copy the data to a new volume if the change fails again";
    "HPL05000E" "PARSE_CONTRACT"
        there "the contract is not valid YAML";
    "HPL05001E" "VALIDATE_CONTRACT"
        there "the contract does not follow the schema; HPCR names the field and prints the validator's own message";
    "HPL05002E" "CONTRACT_NOT_EXISTS"
        there "the file of the decrypted contract is missing";
    "HPL05003E" "EXTRACT_WORKLOAD"
        there "the workload section could not be taken out of the contract"
        here "a section that is missing is HPL05120E, one that does not open HPL11001E",
        remedy "add the section, or seal it with the certificate of this very image";
    "HPL06000E" "CONTRACT_NOT_EXISTS"
        there "the image service did not find the contract"
        here "there is one reader of the contract, in the initramfs; a contract that is missing is HPL05002E or HPL11100E",
        remedy "attach the contract as user-data of the disk labelled cidata";
    "HPL06001E" "PARSE_CONTRACT"
        there "the image service could not read the contract as YAML"
        here "there is one reader of the contract, in the initramfs: HPL05000E",
        remedy "correct the YAML at the place that countersign check names";
    "HPL06002E" "EXTRACT_COMPOSE"
        there "the compose archive could not be taken out of the workload section"
        here "HPL05001E where the field is missing, HPL06100E where it is no archive",
        remedy "put base64 of a gzipped tar into workload.compose.archive; countersign pack does";
    "HPL06003E" "EXTRACT_ENV"
        there "the variables could not be taken out of the contract"
        here "HPL05001E names the variable that is not text",
        remedy "write each variable as NAME: value, numbers and truth values in quotes";
    "HPL06004E" "DOCKER_COMMAND"
        there "docker could not pull or check an image";
    "HPL06005E" "READ_CONTRACT"
        there "the image service could not read the file of the contract"
        here "there is one reader of the contract, in the initramfs",
        remedy "attach the contract as user-data of the disk labelled cidata";
    "HPL06006E" "DECOMPRESS_COMPOSE"
        there "the compose archive is not base64 of a gzip stream"
        here "HPL06100E, before anything was opened",
        remedy "make the archive with tar -C folder -cz . and base64 -w0, or with countersign pack";
    "HPL06007E" "TAR_READER"
        there "what the compose archive holds is not a tar that can be read"
        here "HPL06100E, and HPL06102E where it holds links or devices",
        remedy "make the archive with tar -C folder -cz . and base64 -w0, or with countersign pack";
    "HPL06008E" "NO_COMPOSE"
        there "the archive has no compose file at its top";
    "HPL06009E" "PARSE_COMPOSE_CONTRACT"
        there "the compose file could not be read; HPCR looks at its images, Countersign at all of it";
    "HPL06010E" "CONTRACT_IMAGE_MISMATCH"
        there "an image is named without digest and without an entry under images that covers it";
    "HPL06011E" "JSON_PARSE"
        there "the answer of docker about an image could not be read"
        here "the engine pulls by digest and checks it by its own policy file; what fails there is HPL06004E",
        remedy "start the instance again; name the image by digest";
    "HPL07000E" "PARSE_CONTRACT"
        there "the mount service could not read the contract as YAML"
        here "there is one reader of the contract, in the initramfs: HPL05000E",
        remedy "correct the YAML at the place that countersign check names";
    "HPL07001E" "VALIDATE_CONTRACT"
        there "the volumes of the contract do not follow the schema"
        here "HPL05001E names each field",
        remedy "correct the fields that countersign check names";
    "HPL07002E" "MOUNT_MUST_BE_DIRECTORY"
        there "the mount point of a volume is a file"
        here "mount points are made by the guest; one over the guest's own folders is HPL05132E",
        remedy "mount the volume below /mnt";
    "HPL07003E" "CREATING_PARTITIONS_FAILED"
        there "the partitions of a new volume could not be made";
    "HPL07003I" "MOUNTING_VOLUMES_DONE"
        there "all volumes are mounted, or there is none";
    "HPL07004E" "RESIZE_PARTITION_FAILED"
        there "the disk became larger, and its partition could not be made larger";
    "HPL07004I" "ENCRYPTION_SUCCESSFUL_USING_BYOK"
        there "a volume was encrypted with a third key from a key service"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL07005E" "TWO_PARTITIONS_NOT_AVAILABLE"
        there "the disk of a volume lacks one of the two partitions metadata and data"
        here "HPL07006E, or HPL07104E where their names differ",
        remedy "attach the volume's own disk, or a blank one";
    "HPL07005I" "ENCRYPTION_SUCCESSFUL"
        there "a volume was encrypted with the two seeds"
        here "HPL02001I for each new volume",
        remedy "nothing to do";
    "HPL07006E" "UNSUPPORTED_NUMBER_OF_PARTITIONS"
        there "the disk of a volume has a number of partitions that no volume has";
    "HPL07007E" "WRITE_TO_META_PARTITION_ERROR"
        there "the partition metadata, where HPCR keeps a wrapped key, could not be written"
        here "nothing is written there: the partition is made for HPCR's sake and stays empty",
        remedy "look on the console for an error of the disk";
    "HPL07008E" "MOUNT_META_PARTITION_FAILED"
        there "the partition metadata, where HPCR keeps a wrapped key, could not be mounted"
        here "the partition is never mounted",
        remedy "look on the console for an error of the disk";
    "HPL07009E" "REMOUNT_META_PARTITION_FAILED"
        there "the partition metadata could not be mounted again for writing"
        here "the partition is never mounted",
        remedy "look on the console for an error of the disk";
    "HPL07010E" "HPCS_CONNECTION_FAILED"
        there "the key service was not reached in kmsTimeout minutes, and the instance shuts down"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL07011E" "WRAP_KEY_FAILED"
        there "the key service did not wrap the third key of a new volume"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL07012E" "UNWRAP_KEY_FAILED"
        there "the key service did not unwrap the third key of a volume: the root key was disabled or deleted, or the API key may not use it"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL07013E" "LUKSKEY_GENRN_ERROR"
        there "the passphrase of a volume could not be made from seeds and third key"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL07014E" "REPLACE_SEED_FAILED"
        there "the seeds could not be overwritten in the file of the decrypted contract"
        here "seeds never leave the initramfs and are wiped there, so there is no such file",
        remedy "nothing to do here; in HPCR start the instance again";
    "HPL07015E" "VOLUMES_NAMING_INVALID"
        there "the two sections do not name the same volumes";
    "HPL08000E" "CONTRACT_NOT_EXISTS"
        there "the compose service did not find the contract"
        here "there is one reader of the contract, in the initramfs; a contract that is missing is HPL05002E or HPL11100E",
        remedy "attach the contract as user-data of the disk labelled cidata";
    "HPL08001E" "PARSE_CONTRACT"
        there "the compose service could not read the contract as YAML"
        here "there is one reader of the contract, in the initramfs: HPL05000E",
        remedy "correct the YAML at the place that countersign check names";
    "HPL08002E" "EXTRACT_COMPOSE"
        there "the compose archive could not be unpacked"
        here "HPL06100E to HPL06104E, before anything was opened",
        remedy "make the archive with tar -C folder -cz . and base64 -w0, or with countersign pack";
    "HPL08003E" "EXTRACT_ENV"
        there "the variables could not be written beside the compose file"
        here "HPL05001E names the variable that is not text, HPL06106E the line of an .env in the archive",
        remedy "write each variable as NAME: value, numbers and truth values in quotes";
    "HPL08004E" "DOCKER_COMMAND"
        there "docker compose did not start the project";
    "HPL08005E" "COMPOSE_NOT_EXISTS"
        there "the unpacked archive has no compose file"
        here "HPL06008E, before anything was opened",
        remedy "pack the content of the folder, not the folder itself";
    "HPL08006E" "REMOVE_SEED_FAILED"
        there "the seeds could not be taken out of the decrypted contract before containers start"
        here "seeds never leave the initramfs and are wiped there",
        remedy "nothing to do here; in HPCR start the instance again";
    "HPL08007E" "REMOVE_SEED_FILE_FAILED"
        there "a file with seeds could not be removed before containers start"
        here "seeds never leave the initramfs and are wiped there",
        remedy "nothing to do here; in HPCR start the instance again";
    "HPL09000E" "PARSE_CONTRACT"
        there "the service that writes the registry credentials could not read the contract as YAML"
        here "there is one reader of the contract, in the initramfs: HPL05000E",
        remedy "correct the YAML at the place that countersign check names";
    "HPL09001E" "VALIDATE_CONTRACT"
        there "the credentials under auths do not follow the schema"
        here "HPL05001E names each field",
        remedy "correct the fields that countersign check names";
    "HPL10000E" "SERVICE_FAILED"
        there "a service failed, and the instance shuts down some minutes later, so that the log can still leave";
    "HPL10001I" "SERVICE_SUCCESS"
        there "all services started; whoever watches for a start waits for this line";
    "HPL11000E" "INTERNAL_ERROR"
        there "the boot loader met an error without a code of its own; on the console only";
    "HPL11001E" "INVALID_CONTRACT"
        there "the boot loader could not decrypt or read the contract: it was often sealed with the certificate of another image; on the console only";
    "HPL11002E" "ENCRYPT_ATTESTATION"
        there "the attestation record could not be encrypted with attestationPublicKey; on the console only";
    "HPL11003E" "INSUFFICIENT_MEMORY"
        there "the instance has less than 4 GiB of memory; Countersign needs 1 GiB";
    "HPL11099I" "BOOTLOADER_END"
        there "the boot loader is done, and the services of the root file system start";
    "HPL12000E" "PARSE_CONTRACT"
        there "the signature service could not read the contract as YAML"
        here "there is one reader of the contract, in the initramfs: HPL05000E",
        remedy "correct the YAML at the place that countersign check names";
    "HPL12001E" "VALIDATE_CONTRACT_SIGNATURE"
        there "the signature does not verify, or the certificate that signed has expired; for the latter Countersign has HPL12103E";
    "HPL12002E" "EXTRACT_CONTRACT_NOT_EXISTS"
        there "the signature service did not find the contract"
        here "there is one reader of the contract, in the initramfs; a contract that is missing is HPL05002E or HPL11100E",
        remedy "attach the contract as user-data of the disk labelled cidata";
    "HPL12003E" "EXTRACT_OPENSSL_ARGS_ERROR"
        there "signature, key or signed text could not be prepared for openssl"
        here "HPL12101E where signingKey cannot be used, HPL05001E where the signature is not base64",
        remedy "sign again with countersign sign";
    "HPL12004E" "DEPENDENCY_ARGS_MISSING_ERROR"
        there "signature and signing key do not come together";
    "HPL12011W" ""
        there "the encryption or attestation certificate of the image will end soon";
    "HPL12013W" ""
        there "the encryption or attestation certificate of the image has expired";
    "HPL13000I" ""
        there "the check of the encrypted disks begins; images of 2025 also print it when network-config follows its schema";
    "HPL13001I" ""
        there "boot volume and mounted data volumes are encrypted";
    "HPL13003I" ""
        there "a mount point was checked, with the number of LUKS key slots";
    "HPL13004I" ""
        there "network-config was applied";
    "HPL14000I" "DNS_LOOKUP_READY"
        there "the network is up and names resolve";
    "HPL14001E" "DNS_LOOKUP_FAILED"
        there "names do not resolve, and the start ends";
    "HPL14001I" ""
        there "the network or the log server is tried again";
    "HPL14002E" "DNS_LOOKUP_TIMEOUT"
        there "names did not resolve in time, and the start ends";
    "HPL15000E" "PARSE_CONTRACT"
        there "the service that plays pods could not read the contract; in Countersign the pods themselves are what cannot run";
    "HPL15001E" "LOCATE_CONTRACT"
        there "the service that plays pods did not find the contract"
        here "there is one reader of the contract, in the initramfs; a contract that is missing is HPL05002E or HPL11100E",
        remedy "attach the contract as user-data of the disk labelled cidata";
    "HPL15002E" "PROCESSING_FAILED"
        there "the pods could not be rendered from templates, resources and archive"
        here "HPL15000E names the place or the file and line, before anything was opened",
        remedy "correct the place that countersign check names";
    "HPL15003I" "PROCESSING_SUCCESSFUL"
        there "the pods are rendered, and podman starts them"
        here "pods are rendered in the initramfs; HPL15004I follows when they run",
        remedy "nothing to do";
    "HPL15004I" "POD_STARTUP_SUCCESSFUL"
        there "the pods run";
    "HPL15005E" "POD_STARTUP_FAILED"
        there "podman did not start the pods, and the instance shuts down";
    "HPL15006I" "NOTHING_TO_DO"
        there "the contract has no pods, so the service has nothing to start"
        here "the plan says which kind of workload there is, and nothing is said of the others",
        remedy "nothing to do";
    "HPL16000E" "PARSE_CONTRACT"
        there "the service that prepares images of pods could not read the contract as YAML"
        here "there is one reader of the contract, in the initramfs: HPL05000E",
        remedy "correct the YAML at the place that countersign check names";
    "HPL16001E" "LOCATE_CONTRACT"
        there "the service that prepares images of pods did not find the contract"
        here "there is one reader of the contract, in the initramfs; a contract that is missing is HPL05002E or HPL11100E",
        remedy "attach the contract as user-data of the disk labelled cidata";
    "HPL16002E" "PROCESSING_FAILED"
        there "podman's policy could not be made from the images of the pods"
        here "an image without digest or rule is HPL06010E, one that is not pulled HPL06004E",
        remedy "name each image by digest";
    "HPL16003E" ""
        there "a service failed in a way that has no code of its own; images of 2023 print it before the instance shuts down"
        here "the first cause has a code of its own, and HPL10000E follows it",
        remedy "read the lines before it";
    "HPL16003I" "PROCESSING_SUCCESSFUL"
        there "podman's policy for the images of the pods is made"
        here "the engine's policy is made when the images are known; their names stand in the transcript",
        remedy "nothing to do";
    "HPL18001E" "RECOVER_BACKUP_KEY_FILE"
        there "the key daemon could not put the former wrapped key back into the partition metadata"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18001I" "KEY_ROTATED_NOTIFY"
        there "the root key in the key service was rotated, and the wrapped key was made anew"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18001W" "UNEXPECTED_FAILURE"
        there "the key daemon failed in a way that has no code of its own, and the instance starts again"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18002E" "REWRAP_FAILED_ERROR"
        there "the key service did not wrap the third key anew after a rotation"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18002I" "KEY_REACHABLE_NOTIFY"
        there "the key daemon reaches the key service and sees the root key"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18002W" "KEY_NOT_VALID_WARNING"
        there "the root key is disabled, deleted or not reachable; the instance starts again if that stays so"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18003E" "START_KEY_DAEMON_FAILED"
        there "the key daemon did not start"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18003I" "KEY_DAEMON_STARTED_NOTIFY"
        there "the key daemon watches the root key from now on"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18003W" "REBOOT_WARNING"
        there "the instance starts again in a few seconds, because the root key is not valid"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18004E" "KEY_DAEMON_FAILED"
        there "the key daemon ended, and the data volume is closed"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18006E" "MISSING_CONFIG_ERROR"
        there "the key daemon has no configuration; it ends, and the data volume is closed"
        here KEY_SERVICE, remedy COPY_OUT;
    "HPL18007E" "SAVE_KEY_FAILED_ERROR"
        there "the new wrapped key could not be saved in the partition metadata"
        here KEY_SERVICE, remedy COPY_OUT;
}
