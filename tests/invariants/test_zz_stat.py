from tests.invariants.test_ledger_matches_the_model import *
from collections import Counter
def test_stat(dsn):
    with running_ledger(dsn, lane_count=LANES) as running:
        runner, ledger, sql = running
        c=Counter(); orig=ledger.submit
        import time
        t=Counter()
        class D(DatabaseBooks):
            def submit(self, cmds):
                c['submits']+= bool(cmds); c[f'n{len(cmds)}']+=1
                t0=time.time(); r=super().submit(cmds); t['submit']+=time.time()-t0
                for cmd,o in r: c[type(cmd).__name__, o.answer.refusal or 'ok', o.is_replay]+=1
                return r
            def tables(self):
                t0=time.time(); r=super().tables(); t['tables']+=time.time()-t0; c['tables']+=1; return r
        today = runner.run(sql.fetchval("SELECT business_date FROM control"))
        t0=time.time()
        compare(lambda city: D(running, city, today), examples=DATABASE_EXAMPLES)
        print('total', time.time()-t0)
        print(t)
        for k,v in sorted(c.items(),key=str): print(k,v)
        for q in ("select lane, count(*), avg(n), max(n) from batch group by 1","select state,count(*) from payment group by 1 order by 1", "select count(*) from posting","select max(business_date) from batch"):
            print(runner.run(sql.fetch(q)))
