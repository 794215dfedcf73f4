#!/bin/sh
# Creates a bureau's own certificate authority, and a certificate of it for the server of the pages.
#
#     ./bureau-authority.sh FOLDER tuban.bureau.example [10.1.2.3 …]
#
# The first name is the server's; further names and IP addresses are accepted too. In FOLDER:
#   authority.key   key of the authority: keep it offline, it can sign certificates for its names
#   authority.crt   root certificate: installed on every phone and computer (README.md)
#   tuban.key, tuban.pem   key and certificate chain of the server, for the proxy (nginx: ssl_certificate_key, ssl_certificate)
# Run it again each year: the authority is kept, the server gets a new certificate. Phones refuse certificates of servers that
# are valid for more than 398 days, so these are valid for 397.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 FOLDER NAME [NAME or IP …]" >&2; exit 2; }
folder=$1; name=$2; shift
umask 077
mkdir -p "$folder"; cd "$folder"
names=
for one in "$@"; do
  case $one in
    *[!0-9.]*) names="$names,DNS:$one" ;;
    *) names="$names,IP:$one" ;;
  esac
done
names=${names#,}
if [ ! -e authority.key ]; then
  openssl ecparam -name prime256v1 -genkey -noout -out authority.key
  openssl req -x509 -new -key authority.key -sha256 -days 3650 -subj "/CN=$name certificate authority" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" -out authority.crt
fi
openssl ecparam -name prime256v1 -genkey -noout -out tuban.key
openssl req -new -key tuban.key -subj "/CN=$name" -out tuban.csr
printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=%s\n' "$names" > tuban.ext
openssl x509 -req -in tuban.csr -CA authority.crt -CAkey authority.key -CAcreateserial -sha256 -days 397 -extfile tuban.ext -out tuban.crt
cat tuban.crt authority.crt > tuban.pem
rm tuban.csr tuban.ext tuban.crt
openssl verify -CAfile authority.crt -verify_hostname "$name" tuban.pem
echo "Install authority.crt on the phones; compare its fingerprint there:"
openssl x509 -in authority.crt -noout -fingerprint -sha256
