import causeway.v1.Checkpoint.TranslateRequest;
import causeway.v1.CheckpointServiceGrpc;
import causeway.v1.Groups.TranslatedPosition;
import causeway.v1.Groups.Translation;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.TimeUnit;

/** `Translate AGENT GROUP FROM TO`: where the group goes on. */
public final class Translate {
  public static void main(String[] args) {
    TranslateRequest request =
        TranslateRequest.newBuilder().setGroup(args[1]).setFrom(args[2]).setTo(args[3]).build();
    ManagedChannel channel =
        Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    try {
      Translation answer =
          CheckpointServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(10, TimeUnit.SECONDS)
              .translate(request)
              .getTranslation();
      for (TranslatedPosition one : answer.getPositionsList()) {
        var target = one.getTarget();
        String offset = target.hasOffset() ? Long.toString(target.getOffset()) : "-";
        System.out.printf(
            "%s/%d@%s %s %s%n",
            target.getTopic(), target.getPartition(), offset, one.getCertainty(), one.getReason());
      }
      System.out.println(
          answer.getSafeToStart()
              ? "safe to start"
              : "not safe: " + String.join("; ", answer.getBlockersList()));
    } catch (StatusRuntimeException error) {
      System.err.println(error.getStatus().getCode() + ": " + error.getStatus().getDescription());
      System.exit(1);
    } finally {
      channel.shutdownNow();
    }
  }
}
