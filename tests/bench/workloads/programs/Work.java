/** Works for ever: recursion, a map of strings, sorting. */
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public class Work {
    static long fib(int n) {
        return n < 2 ? n : fib(n - 1) + fib(n - 2);
    }

    static Map<String, Integer> count(int seed) {
        Map<String, Integer> words = new HashMap<>();
        for (int i = 0; i < 2000; i++) {
            words.merge("word" + (i * 7919 + seed) % 499, 1, Integer::sum);
        }
        return words;
    }

    static int order(Map<String, Integer> words) {
        List<String> names = new ArrayList<>(words.keySet());
        Collections.sort(names);
        return names.get(0).length();
    }

    static long descend(int depth, int seed) {
        return depth == 0 ? fib(18) + order(count(seed)) : descend(depth - 1, seed);
    }

    public static void main(String[] arguments) {
        for (int turn = 0; ; turn++) {
            if (descend(20, turn % 64) < 0) {
                return;
            }
        }
    }
}
