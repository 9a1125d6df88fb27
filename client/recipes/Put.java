// Hands in a document of any size: java Put.java METADATA FILE. Prints its id. The same again goes on where it stopped. OKD_URL
// is the base URL of the service, OKD_TOKEN a token. Java 17; a program of yours would read the JSON with a library.
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.regex.*;
class Put {
    static final URI SERVICE = URI.create(System.getenv("OKD_URL"));
    static final HttpClient HTTP = HttpClient.newHttpClient();
    static final String PART = "\"partNumber\":(\\d+),\"offset\":(\\d+),\"size\":(\\d+),\"method\":\"PUT\",\"href\":\"([^\"]*)\"";
    /** Asks again where there is no answer, or one that says "again". */
    static HttpResponse<String> ask(HttpRequest request) throws Exception {
        for (long pause = 100;; pause = Math.min(2 * pause, 10_000)) {
            try {
                var answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() < 500 && answer.statusCode() != 429) return answer;
            } catch (java.io.IOException error) { if (pause == 10_000) throw error; }
            Thread.sleep(pause / 2 + (long) (Math.random() * pause / 2));
        }
    }
    static HttpRequest request(URI url, String method, String json) {
        return HttpRequest.newBuilder(url).headers("Authorization", "Bearer " + System.getenv("OKD_TOKEN"),
            "Content-Type", "application/json").method(method, HttpRequest.BodyPublishers.ofString(json)).build();
    }
    static void send(FileChannel file, MatchResult part) {
        try {
            var bytes = ByteBuffer.allocate(Integer.parseInt(part.group(3)));
            file.read(bytes, Long.parseLong(part.group(2)));
            var put = HttpRequest.newBuilder(URI.create(part.group(4))).PUT(HttpRequest.BodyPublishers.ofByteArray(bytes.array()));
            // No token goes to S3. A URL that was too old is renewed below.
            if (ask(put.build()).statusCode() == 200) System.err.println("part " + part.group(1) + " has arrived");
        } catch (Exception error) { throw new RuntimeException(error); }
    }
    static List<MatchResult> find(String what, String json) { return Pattern.compile(what).matcher(json).results().toList(); }
    public static void main(String[] arguments) throws Exception {
        var file = FileChannel.open(Path.of(arguments[1]));
        var metadata = Files.readString(Path.of(arguments[0]));
        // The checksum tells that a repeat is the same document, and that every byte has come over.
        var digest = MessageDigest.getInstance("SHA-256");
        digest.update(file.map(FileChannel.MapMode.READ_ONLY, 0, file.size()));
        var said = String.format("\"documentSize\": %d, \"documentChecksum\": \"sha-256:%s\", \"consumerKey\"",
            file.size(), HexFormat.of().formatHex(digest.digest()));
        var id = find("\"associationId\"\\s*:\\s*\"([^\"]*)\"", metadata).get(0).group(1);
        var url = URI.create(SERVICE + "/okd/v1/associations/" + id);
        var answer = ask(request(url, "PUT", metadata.replaceFirst("\"consumerKey\"", said)));
        while (answer.statusCode() != 200) {
            if (!Set.of(202, 409).contains(answer.statusCode())) throw new Exception(answer.body());
            find(PART, answer.body()).parallelStream().forEach(part -> send(file, part));
            for (var link : find("\"complete\":\\{[^}]*\"href\":\"([^\"]*)\"", answer.body())) url = SERVICE.resolve(link.group(1));
            answer = ask(request(url, "POST", ""));
            if (answer.statusCode() == 202) Thread.sleep(2000); // S3 still joins the parts, or they are compared
        }
        System.out.println(find("\"dmsDocumentId\":\"([^\"]*)\"", answer.body()).get(0).group(1));
    }
}
