package weir.contender.rest;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import java.util.List;

/** Bodies of answers, in the names of the contract. */
final class Answers {

    private Answers() {}

    record Success(boolean success, String message) {}

    record Failure(boolean success, String error, String message) {
        Failure(String error, String message) {
            this(false, error, message);
        }
    }

    record BulkFailure(int index, String error) {}

    record Bulk(
            @JsonUnwrapped Success outcome,
            int processedCount,
            int failedCount,
            String batchId,
            long processingTimeMs,
            @JsonInclude(JsonInclude.Include.NON_EMPTY) List<BulkFailure> failures) {}
}
