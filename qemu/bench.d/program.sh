# shellcheck shell=dash disable=SC2154,SC2034  # the variables are those of init
# The cryptography that nobody can spare a guest, by the documented commands: for each of the contract's two tokens an
# RSA decryption and a PBKDF2 with AES. Sourced by init.

# program [PREFIX]: prints NAME rsa, token and program; the last is all four commands.
program() {
  now
  program_begun=$now_at
  for section in env workload; do
    begin
    openssl pkeyutl -decrypt -inkey "$image_key" -in $section.wrapped -out $section.passphrase || failed pkeyutl
    end "${1}rsa-$section"
    begin
    openssl enc -d -aes-256-cbc -pbkdf2 -pass stdin -in $section.sealed -out $section <$section.passphrase ||
      failed enc
    end "${1}pbkdf2-aes-$section"
  done
  begun=$program_begun
  end "${1}program"
}
