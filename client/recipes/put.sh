#!/usr/bin/env bash
# Hands in a document of any size: put.sh METADATA FILE. Prints its id. The same again goes on where it stopped.
# Needs curl and jq. OKD_URL is the base URL of the service, OKD_TOKEN a token.
set -euo pipefail
metadata=$1 file=$2 origin=$(grep -oE '^https?://[^/]+' <<<"$OKD_URL")
retry=(--retry 8 --retry-connrefused)

# The answer's body in $answer and its status in $status.
call() {
  answer=$(curl -sS "${retry[@]}" -H @- -w '\n%{http_code}' "$@" <<<"Authorization: Bearer $OKD_TOKEN")
  status=${answer##*$'\n'} answer=${answer%$'\n'*}
}

# One part; no token goes to S3. URL, offset and size are arguments.
send() {
  tail -c "+$(($3 + 1))" "$1" | head -c "$4" |
    curl -sS --fail --retry 8 --retry-connrefused -X PUT -H 'Content-Type:' --data-binary @- "$2" &&
    echo "the part at $3 has arrived" >&2
}
export -f send

# The checksum tells the service that a repeat is the same document, and that every byte has come over.
message=$(jq --argjson size "$(wc -c <"$file")" --arg sum "sha-256:$(sha256sum <"$file" | cut -d' ' -f1)" \
  '.consumers[0] += {documentSize: $size, documentChecksum: $sum}' "$metadata")
call -X PUT -H 'Content-Type: application/json' -d "$message" \
  "$OKD_URL/okd/v1/associations/$(jq -r .associationId "$metadata")"
while [ "$status" != 200 ]; do
  case $status in
    202 | 409) ;;
    *) echo "refused with $status: $(jq -r '.detail // .' <<<"$answer")" >&2; exit 1 ;;
  esac
  jq -r '.upload.parts // [] | .[] | "\(.href) \(.offset) \(.size)"' <<<"$answer" |
    xargs -r -P4 -L1 bash -c 'send "$@"' send "$file" || true # a URL that was too old is renewed below
  complete=$(jq -r '.upload.complete.href // empty' <<<"$answer")
  [ -n "$complete" ] && link=$complete || sleep 2
  call -X POST "$origin$link"
done
jq -r .dmsDocumentId <<<"$answer"
