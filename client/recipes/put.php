<?php
// Hands in a document of any size: php put.php METADATA FILE. Prints its id. The same again goes on where it stopped.
// OKD_URL is the base URL of the service, OKD_TOKEN a token. PHP 8 with its curl extension.
[, $metadata_path, $path] = $argv;
$service = getenv('OKD_URL');
$origin = preg_replace('#^(https?://[^/]+).*#', '$1', $service);
$headers = ['Authorization: Bearer ' . getenv('OKD_TOKEN'), 'Content-Type: application/json'];

/** Asks again where there is no answer, or one that says "again". Gives the status and the body. */
function ask(string $method, string $url, array $headers, string $body): array {
    for ($pause = 0.1;; $pause = min(2 * $pause, 10)) {
        $curl = curl_init($url);
        curl_setopt_array($curl, [
            CURLOPT_CUSTOMREQUEST => $method, CURLOPT_HTTPHEADER => [...$headers, 'Expect:'], CURLOPT_POSTFIELDS => $body,
            CURLOPT_RETURNTRANSFER => true,
        ]);
        $answer = curl_exec($curl);
        $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        if ($answer !== false && $status < 500 && $status !== 429) return [$status, $answer];
        if ($pause === 10) throw new Exception("given up with $status: " . curl_error($curl));
        usleep((int) ($pause * mt_rand(500000, 1000000)));
    }
}

$metadata = json_decode(file_get_contents($metadata_path));
$metadata->consumers[0]->documentSize = filesize($path);
// The checksum tells the service that a repeat is the same document, and that every byte has come over.
$metadata->consumers[0]->documentChecksum = 'sha-256:' . hash_file('sha256', $path);
$url = "$service/okd/v1/associations/$metadata->associationId";
[$status, $body] = ask('PUT', $url, $headers, json_encode($metadata));
while ($status !== 200) {
    if ($status !== 202 && $status !== 409) {
        fwrite(STDERR, "refused with $status: $body\n");
        exit(1);
    }
    $upload = json_decode($body)->upload;
    foreach ($upload->parts ?? [] as $part) {
        $bytes = file_get_contents($path, false, null, $part->offset, $part->size);
        // No token goes to S3. A URL that was too old is renewed below.
        [$sent] = ask('PUT', $part->href, ['Content-Type:'], $bytes);
        if ($sent === 200) fwrite(STDERR, "part $part->partNumber has arrived\n");
    }
    if (isset($upload->complete)) $complete = $origin . $upload->complete->href;
    else sleep(2); // S3 still joins the parts, or they are compared
    [$status, $body] = ask('POST', $complete, $headers, '');
}
echo json_decode($body)->dmsDocumentId, "\n";
