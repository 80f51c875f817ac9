import java.io.File;
import org.apache.avro.compiler.specific.SpecificCompiler;

/** Generate OUT SCHEMA...: Avro's own classes for the schemas. */
public class Generate {
    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i++)
            SpecificCompiler.compileSchema(new File(args[i]), new File(args[0]));
    }
}
