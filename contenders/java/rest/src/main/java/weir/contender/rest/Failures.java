package weir.contender.rest;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.core.io.buffer.DataBufferLimitException;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.server.ResponseStatusException;
import weir.contender.Event.Invalid;
import weir.contender.Store.Unavailable;
import weir.contender.rest.Answers.Failure;

/** What went wrong, as an answer: the one place that knows status codes. */
@RestControllerAdvice
class Failures {

    private static final Logger LOG = LoggerFactory.getLogger(Failures.class);

    /** A body over its limit. */
    static final class TooLarge extends RuntimeException {
        TooLarge(int bytes) {
            super("the body exceeds " + bytes + " bytes", null, false, false);
        }
    }

    @ExceptionHandler
    ResponseEntity<Failure> handle(Throwable error) {
        return of(error);
    }

    static ResponseEntity<Failure> of(Throwable error) {
        if (error instanceof Invalid) {
            return answer(HttpStatus.BAD_REQUEST, "invalid_argument", error.getMessage());
        }
        if (error instanceof TooLarge) {
            return answer(HttpStatus.CONTENT_TOO_LARGE, "too_large", error.getMessage());
        }
        if (error instanceof Unavailable) {
            LOG.warn("the database is unavailable", error.getCause());
            return answer(HttpStatus.SERVICE_UNAVAILABLE, "unavailable", error.getMessage());
        }
        if (error instanceof ResponseStatusException framework) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                if (cause instanceof DataBufferLimitException) {
                    return answer(HttpStatus.CONTENT_TOO_LARGE, "too_large", "the body exceeds its limit");
                }
            }
            HttpStatus status = HttpStatus.valueOf(framework.getStatusCode().value());
            return switch (status) {
                case NOT_FOUND -> answer(status, "not_found", "there is nothing at this path");
                case METHOD_NOT_ALLOWED -> answer(status, "method_not_allowed", "this path does not take this method");
                case UNSUPPORTED_MEDIA_TYPE -> answer(status, "unsupported_media_type", "Content-Type must be application/json");
                default -> answer(status, "invalid_argument", "the request is not valid");
            };
        }
        LOG.error("an event failed", error);
        return answer(HttpStatus.INTERNAL_SERVER_ERROR, "internal", "internal error");
    }

    private static ResponseEntity<Failure> answer(HttpStatus status, String error, String message) {
        var answer = ResponseEntity.status(status);
        if (status == HttpStatus.SERVICE_UNAVAILABLE) {
            answer.header("Retry-After", "1");
        }
        return answer.body(new Failure(error, message));
    }
}
