import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import javax.activation.DataHandler;
import javax.jws.WebMethod;
import javax.jws.WebParam;
import javax.jws.WebResult;
import javax.jws.WebService;
import javax.jws.soap.SOAPBinding;
import javax.mail.util.ByteArrayDataSource;
import javax.xml.bind.annotation.XmlMimeType;
import javax.xml.ws.Endpoint;
import javax.xml.ws.WebFault;
import javax.xml.ws.soap.MTOM;

/** What JAX-WS RI serves by MTOM; it prints the port that it listens on. */
@MTOM
@WebService(targetNamespace = Files.NAMESPACE, serviceName = "Files")
@SOAPBinding(parameterStyle = SOAPBinding.ParameterStyle.BARE)
public class Files {
    static final String NAMESPACE = "urn:test:files";

    public static class Content {
        public String name;
        @XmlMimeType("application/octet-stream") public DataHandler data;
    }

    public static class Summary {
        public long size;
        public long sum;
    }

    public static class Wanted {
        public int size;
    }

    public static class Absence {
        public int size;
    }

    @WebFault(name = "NoSuchFile", targetNamespace = NAMESPACE)
    public static class NoSuchFile extends Exception {
        private final Absence absence;
        public NoSuchFile(String message, Absence absence) { super(message); this.absence = absence; }
        public Absence getFaultInfo() { return absence; }
    }

    @WebMethod
    @WebResult(name = "Summary", targetNamespace = NAMESPACE)
    public Summary putFile(@WebParam(name = "PutFile", targetNamespace = NAMESPACE) Content content) {
        Summary summary = new Summary();
        try {
            for (byte each : content.data.getInputStream().readAllBytes()) {
                summary.size++;
                summary.sum = summary.sum * 31 + (each & 0xff);
            }
        } catch (java.io.IOException error) {
            throw new IllegalStateException(error);
        }
        return summary;
    }

    @WebMethod
    @WebResult(name = "Content", targetNamespace = NAMESPACE)
    public Content getFile(@WebParam(name = "GetFile", targetNamespace = NAMESPACE) Wanted wanted) throws NoSuchFile {
        if (wanted.size < 0) {
            Absence absence = new Absence();
            absence.size = wanted.size;
            throw new NoSuchFile("no file of that size", absence);
        }
        if (wanted.size == 0) throw new IllegalStateException("an exception that nobody caught, in /srv/files");
        byte[] bytes = new byte[wanted.size];
        for (int at = 0; at < bytes.length; at++) bytes[at] = (byte) (at * 7 + (at >> 8));
        Content content = new Content();
        content.name = "é";
        content.data = new DataHandler(new ByteArrayDataSource(bytes, "application/pdf"));
        return content;
    }

    public static void main(String[] given) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 50);
        Endpoint.create(new Files()).publish(server.createContext("/files"));
        server.start();
        System.out.println(server.getAddress().getPort());
    }
}
