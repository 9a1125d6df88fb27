"""Forms byte for byte as clients write them that are not installed here: Apache HttpClient, javax.mail, .NET; and one that
Python's own email library writes."""

import http.client
import json
import socket
from email import policy
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from urllib.parse import urlsplit

import okd


def apache(message, file, charset="", encodings=("", "")):
    """MultipartEntityBuilder with addTextBody and addBinaryBody, by their defaults."""
    boundary = "HAQ2KI7IdP424YATP3LEs-bWtOEbXUBPi"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="metadata"\r\n'
        f"Content-Type: text/plain; charset=ISO-8859-1\r\n{encodings[0]}\r\n".encode()
        # Its default charset would make é one byte, which is not UTF-8; so JSON escapes it.
        + json.dumps(message).encode("ascii"),
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="scan.pdf"\r\n'
        f"Content-Type: application/octet-stream\r\n{encodings[1]}\r\n".encode() + file,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return f"multipart/form-data; {charset}boundary={boundary}", b"".join(parts)


def apache_4(message, file):
    """Version 4.5 says how each part is encoded."""
    encodings = [f"Content-Transfer-Encoding: {encoding}\r\n" for encoding in ("8bit", "binary")]
    return apache(message, file, encodings=encodings)


def apache_5(message, file):
    """Version 5 says a charset of the whole form."""
    return apache(message, file, charset="charset=ISO-8859-1; ")


def javax_mail(message, file):
    """MimeMultipart with a preamble: it folds heads, even inside quotes, and cuts a long name into pieces."""
    boundary = "----=_Part_0_1365202186.1764000000000"
    parts = [
        f"This is a multi-part message in MIME format, between lines of --{boundary}\r\n--{boundary}\r\n"
        "Content-Type: application/json; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n"
        'Content-Disposition: form-data; name="metadata"\r\n\r\n'.encode() + json.dumps(message).encode(),
        f"\r\n--{boundary}\r\nContent-Type: application/pdf; \r\n\tname=\"scan van de beoordeling.pdf\"\r\n"
        "Content-Transfer-Encoding: binary\r\nContent-Disposition: form-data; name=file; \r\n"
        '\tfilename*0="scan van de beoordeling van een student met een lange\r\n naam.p"; filename*1=df\r\n\r\n'.encode()
        + file,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return f'multipart/form-data; boundary="{boundary}"', b"".join(parts)


def javax_mail_short(message, file):
    """MimeMultipart with a name that fits into a line of its own."""
    media, body = javax_mail(message, file)
    long = b'filename*0="scan van de beoordeling van een student met een lange\r\n naam.p"; filename*1=df'
    assert long in body
    return media, body.replace(long, b'filename="scan van de beoordeling.pdf"')


def dot_net(message, file, name="filename=a.pdf; filename*=utf-8''a.pdf"):
    """MultipartFormDataContent: names without quotes, a boundary in quotes."""
    boundary = "6b3f1a0e-0d3f-4b0e-8f2f-2c8f7f7b9f10"
    parts = [
        f"--{boundary}\r\nContent-Type: application/json; charset=utf-8\r\n"
        "Content-Disposition: form-data; name=metadata\r\n\r\n".encode()
        + json.dumps(message, ensure_ascii=False).encode(),
        f"\r\n--{boundary}\r\nContent-Disposition: form-data; name=file; {name}\r\n\r\n".encode() + file,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return f'multipart/form-data; boundary="{boundary}"', b"".join(parts)


def dot_net_accents(message, file):
    """MultipartFormDataContent with a name that is not ASCII: it is written in both ways."""
    return dot_net(message, file, "filename=\"=?utf-8?B?w6nDqW4ucGRm?=\"; filename*=utf-8''%C3%A9%C3%A9n.pdf")


def python_email(message, file):
    """email.mime: heads that are folded, and a long file name in numbered pieces."""
    form = MIMEMultipart("form-data", policy=policy.HTTP.clone(max_line_length=78, cte_type="8bit"))
    binary = {"_encoder": lambda part: part.__setitem__("Content-Transfer-Encoding", "8bit")}
    metadata = MIMEApplication(json.dumps(message), "json", **binary)
    metadata.add_header("Content-Disposition", "form-data", name="metadata")
    # The library turns a lone CR or LF into CRLF; so the file takes its place when all is written.
    pdf = MIMEApplication("THE FILE", "pdf", **binary)
    name = "beoordeling van het één en ander, " * 4 + ".pdf"
    pdf.add_header("Content-Disposition", "form-data", name="file", filename=name)
    form.attach(metadata)
    form.attach(pdf)
    head, _, body = form.as_bytes().partition(b"\r\n\r\n")
    assert body.count(b"THE FILE") == 1
    return form["Content-Type"].replace("\r\n", ""), body.replace(b"THE FILE", file)


def put(token, media, body):
    """Sends a form byte for byte; gives status and text."""
    service = urlsplit(okd.API)
    head = (
        f"PUT {okd.PATH} HTTP/1.1\r\nHost: {service.netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((service.hostname, service.port), timeout=60) as connection:
        connection.sendall(head.encode() + body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read().decode()


WRITERS = [apache_4, apache_5, javax_mail, javax_mail_short, dot_net, dot_net_accents, python_email]


def main():
    token = okd.token()
    for write in WRITERS:
        try:
            okd.inline(lambda message, file: put(token, *write(message, file)))
        except AssertionError as error:
            raise AssertionError(f"{write.__name__}: {error}") from error


if __name__ == "__main__":
    main()
