import java.math.BigDecimal;
import java.util.Calendar;
import java.util.TimeZone;

/** What Axis 1.4 serves rpc/encoded: beans that occur twice become multiRefs. */
public class Accounts {
    public static class Account {
        private long number;
        private BigDecimal balance;
        private Calendar opened;
        private Account parent;
        private String[] tags;
        public long getNumber() { return number; }
        public void setNumber(long value) { number = value; }
        public BigDecimal getBalance() { return balance; }
        public void setBalance(BigDecimal value) { balance = value; }
        public Calendar getOpened() { return opened; }
        public void setOpened(Calendar value) { opened = value; }
        public Account getParent() { return parent; }
        public void setParent(Account value) { parent = value; }
        public String[] getTags() { return tags; }
        public void setTags(String[] value) { tags = value; }
    }

    public Account[] listAccounts(int count) {
        Account parent = account(1);
        Account[] found = new Account[count];
        for (int at = 0; at < count; at++) {
            found[at] = account(at + 2);
            found[at].setParent(parent);
        }
        return found;
    }

    public Account putAccount(Account account) { return account; }

    public String getSecret(String name) { throw new IllegalStateException("no key for " + name + " in /etc/keys"); }

    private static Account account(long number) {
        Account account = new Account();
        Calendar opened = Calendar.getInstance(TimeZone.getTimeZone("UTC"));
        opened.setTimeInMillis(0);
        account.setNumber(number);
        account.setBalance(new BigDecimal("12.50"));
        account.setOpened(opened);
        account.setTags(new String[] {"a", "b"});
        return account;
    }
}
