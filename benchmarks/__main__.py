import sys
from benchmarks.places import places
from benchmarks.racing import race
from benchmarks.workloads import WORKLOADS
import statistics
dbs=tuple(sys.argv[1].split(','))
backs=tuple(sys.argv[2].split(','))
want=sys.argv[3].split(',') if len(sys.argv)>3 else None
with places(dbs) as where:
    for w in WORKLOADS:
        if want and not any(w.name.startswith(x) for x in want): continue
        for (d,dur),pl in where.items():
            if dur not in w.is_durable: continue
            for m in race(w,pl,backs,3):
                r=[b/a for a,b in m.pairs]
                print(f"{m.workload:45} {m.database:22} {m.backend:9} floor {statistics.median(a for a,_ in m.pairs)*1e6:9.1f}us  {statistics.median(r):.2f} ({min(r):.2f}-{max(r):.2f}) bar {m.bar} {'' if statistics.median(r)<=m.bar else 'XXX'}",flush=True)
